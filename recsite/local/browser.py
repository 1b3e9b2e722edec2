"""Find a headless Chromium for the browser tests, or the reason why there is none."""

import os
import shutil
import subprocess
import sys

from recsite.local.processes import say

INSTALL_SECONDS = 300
PLAYWRIGHTS_OWN = (
    "from playwright.sync_api import sync_playwright as p\n"
    "with p() as playwright: print(playwright.chromium.executable_path)"
)


def browser_environment() -> dict[str, str]:
    """MEDLEY_CHROMIUM=<path>, or MEDLEY_NO_BROWSER=<reason>; one that is set already is kept.

    A missing one is installed: by root through apt, where there is apt; else Playwright's own.
    """
    for name in ("MEDLEY_CHROMIUM", "MEDLEY_NO_BROWSER"):
        if given := os.environ.get(name):
            return {name: given}
    if path := _installed():
        return {"MEDLEY_CHROMIUM": path}
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("Chromium is missing: apt-get install chromium, a few minutes")
        apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=120"]
        install = [*apt, "install", "--no-install-recommends", "chromium", "fonts-noto-cjk"]
        if not _succeeds(install) and _succeeds([*apt, "update"]):
            _succeeds(install)
        if path := _installed():
            return {"MEDLEY_CHROMIUM": path}
    say("Chromium is missing: playwright install chromium, a few minutes")
    if not _succeeds([sys.executable, "-m", "playwright", "install", "chromium"]):
        return {"MEDLEY_NO_BROWSER": "no chromium here, and none could be installed"}
    asked = subprocess.run([sys.executable, "-c", PLAYWRIGHTS_OWN], capture_output=True, text=True)
    path = asked.stdout.strip()
    if not _succeeds([path, "--version"]):
        return {"MEDLEY_NO_BROWSER": "Playwright's Chromium does not start: libraries are missing"}
    return {"MEDLEY_CHROMIUM": path}


def _installed() -> str | None:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path and _succeeds([path, "--version"]):
            return path
    return None


def _succeeds(command: list[str]) -> bool:
    try:
        done = subprocess.run(
            command,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=INSTALL_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
