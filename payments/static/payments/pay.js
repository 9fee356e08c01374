// Keeps the page of a payment up to date: asks for a small JSON, and for the page when it differs.
"use strict";

(() => {
  const root = document.getElementById("payment");
  const news = document.getElementById("news");
  let timer;

  function show(state) {
    root.querySelectorAll("[data-live=confirmations]").forEach((element) => {
      const value = Math.min(state.confirmations ?? 0, state.confirmations_required ?? 0);
      if (element.tagName === "PROGRESS") element.value = value;
      else element.textContent = value;
    });
  }

  async function renew() {
    const answer = await fetch(location.pathname, { cache: "no-store" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.getElementById("payment");
    root.replaceChildren(...next.childNodes);
    Object.assign(root.dataset, next.dataset);
    window.souk.enliven(root);
    news.textContent = root.querySelector("h1").textContent;
  }

  async function look() {
    try {
      const answer = await fetch(root.dataset.state, { cache: "no-store" });
      if (answer.ok) {
        const state = await answer.json();
        if (state.mark !== root.dataset.mark) await renew();
        show(state);
      }
    } catch {
      // No network for the moment: the next look may have one.
    }
    wait();
  }

  function wait() {
    clearTimeout(timer);
    const seconds = Number(root.dataset.poll);
    if (seconds && !document.hidden) timer = setTimeout(look, 1000 * seconds);
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && Number(root.dataset.poll)) look();
  });
  root.addEventListener("souk:over", () => setTimeout(look, 500));
  wait();
})();
