// Tells which cards of a list came into sight: half of a card for a second, several at once.
"use strict";

(() => {
  const STAYED_MS = 1000;
  const TOGETHER_MS = 3000;
  const token = document.querySelector("input[name=csrfmiddlewaretoken]");
  if (!token || !("IntersectionObserver" in window)) return;

  const timers = new Map();
  const noted = new WeakSet();
  let seen = new Map(); // list → where to tell it, and ranks
  let sending = null;

  function send() {
    clearTimeout(sending);
    sending = null;
    const lists = seen;
    seen = new Map();
    for (const [list, { address, ranks }] of lists) {
      const body = new URLSearchParams({ list, positions: ranks.join(",") });
      const headers = { "X-CSRFToken": token.value };
      fetch(address, { method: "POST", body, headers, keepalive: true }).catch(() => {});
    }
  }

  function note(card) {
    timers.delete(card);
    watch.unobserve(card);
    noted.add(card);
    if (!card.isConnected) return;
    const { list, seen: address } = card.parentElement.dataset;
    if (!seen.has(list)) seen.set(list, { address, ranks: [] });
    seen.get(list).ranks.push(card.dataset.rank);
    sending = sending || setTimeout(send, TOGETHER_MS);
  }

  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      clearTimeout(timers.get(target));
      timers.delete(target);
      if (isIntersecting) timers.set(target, setTimeout(() => note(target), STAYED_MS));
    }
  }, { threshold: 0.5 });

  function look(root) {
    root.querySelectorAll("[data-list] > [data-rank]").forEach((card) => {
      if (!noted.has(card)) watch.observe(card);
    });
  }

  look(document);
  document.addEventListener("htmx:afterSwap", () => look(document));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") send();
  });
})();
