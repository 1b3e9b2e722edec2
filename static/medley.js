// All is HTML; this says aloud where a slider stands, and says when a request failed.
"use strict";

function speak(slider) {
  slider.setAttribute("aria-valuetext", Math.round(slider.value * 100) + " %");
}

document.querySelectorAll("input[type=range]").forEach(speak);
document.addEventListener("input", (event) => {
  if (event.target.type === "range") speak(event.target);
});

const failed = document.getElementById("failed");
for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, () => {
    failed.hidden = false;
    failed.scrollIntoView({ block: "nearest" });
  });
}
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) failed.hidden = true;
});
