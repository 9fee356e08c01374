// What adds life to every page: countdowns and copying. Pages work without it.
"use strict";

(() => {
  const two = (number) => String(number).padStart(2, "0");

  function clock(seconds) {
    const [days, hours] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24];
    const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    return seconds >= 3600 ? `${days ? `${days}d ` : ""}${two(hours)}:${rest}` : rest;
  }

  // The server says how many seconds are left: this machine's clock may be wrong.
  function countdown(element) {
    const ends = performance.now() + 1000 * Number(element.dataset.countdown);
    const tick = () => {
      const left = Math.max(0, Math.ceil((ends - performance.now()) / 1000));
      element.textContent = clock(left);
      if (left === 0) element.dispatchEvent(new CustomEvent("souk:over", { bubbles: true }));
      else if (element.isConnected) setTimeout(tick, 250);
    };
    tick();
  }

  async function copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      const before = button.textContent;
      button.textContent = button.dataset.copied;
      setTimeout(() => { button.textContent = before; }, 2000);
    } catch {
      getSelection().selectAllChildren(button.parentElement.querySelector("code"));
    }
  }

  // Also for what a script has just put into the page.
  window.souk = {
    enliven(root) {
      root.querySelectorAll("[data-countdown]").forEach(countdown);
      root.querySelectorAll("[data-copy]").forEach((button) => {
        button.hidden = false;
        button.addEventListener("click", () => copy(button));
      });
      root.querySelectorAll("form[data-once]").forEach((form) => {
        form.addEventListener("submit", () => {
          // After the submission has read the form: a disabled button would not be sent.
          setTimeout(() => form.querySelectorAll("button").forEach((b) => { b.disabled = true; }));
        });
      });
    },
  };
  window.souk.enliven(document);
  // Back from the browser's memory, a page's buttons are to work again.
  addEventListener("pageshow", (event) => {
    if (event.persisted) document.querySelectorAll("button").forEach((b) => { b.disabled = false; });
  });
})();
