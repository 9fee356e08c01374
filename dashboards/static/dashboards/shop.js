// Stock as it moves, pages that turn when a sale opens, and values beside a chart's bars.
"use strict";

(() => {
  // A form is on its way: to load the page anew would call it back, and the buyer would see a sale
  // that is sold out, by himself, in place of what he has bought.
  let leaving = false;
  document.addEventListener("submit", () => { leaving = true; });
  addEventListener("pageshow", () => { leaving = false; });

  function turn() {
    if (!leaving) location.reload();
  }

  function show(stock) {
    document.querySelectorAll("[data-units]").forEach((element) => {
      const units = stock[element.dataset.units];
      if (element.tagName === "METER") element.value = units;
      else element.textContent = units;
    });
    const news = document.querySelector("[data-news]");
    const over = stock.status === "sold_out" || stock.status === "ended";
    if (news && over && !news.textContent) news.textContent = news.dataset.news;
    if (news && !over) news.textContent = "";
  }

  // What may be bought has changed with it: the form, or the words in its place.
  function turned(before, stock) {
    if (before && (before.status !== stock.status || before.run !== stock.run)) turn();
  }

  // A place in the waiting room: the number moves, and the page turns when something else is so.
  function moved(room, place) {
    if (place.status !== room.dataset.place) return turn();
    const [number, wait] = ["[data-position]", "[data-wait]"].map((each) => room.querySelector(each));
    if (!number) return undefined;
    const two = (value) => String(value).padStart(2, "0");
    number.textContent = place.position;
    wait.textContent = `${two(Math.floor(place.wait_seconds / 60))}:${two(place.wait_seconds % 60)}`;
    return undefined;
  }

  function follow(box) {
    let last = null;
    const room = document.querySelector("[data-place]");
    const take = (stock) => {
      show(stock);
      if (!document.querySelector(":focus-within[data-buy]")) turned(last, stock);
      last = stock;
    };
    const poll = async () => {
      try {
        const answer = await fetch(box.dataset.stock);
        if (answer.ok) take(await answer.json());
      } catch {
        // No network for the moment.
      }
      setTimeout(poll, 3000);
    };
    const source = new EventSource(box.dataset.stream);
    source.addEventListener("stock", (event) => take(JSON.parse(event.data)));
    source.addEventListener("position", (event) => moved(room, JSON.parse(event.data)));
    // Refused for good, as where too many listen: asked again and again it would be refused too.
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) return;
      poll();
      if (room?.dataset.place === "waiting") setTimeout(turn, 5000);
    });
  }

  // The first only: each listener keeps a connection open.
  const box = document.querySelector("[data-stream]");
  if (box) follow(box);

  document.addEventListener("souk:over", (event) => {
    if (event.target.matches("[data-reload]")) setTimeout(turn, 700);
  });
  // Over before this script listened: the page came a moment too early, and so did everybody's.
  if (document.querySelector('[data-reload][data-countdown="0"]')) {
    setTimeout(turn, 1000 + 1000 * Math.random());
  }

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  document.addEventListener("pointermove", (event) => {
    const text = event.target.dataset?.tip;
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    tip.style.left = `${Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 4)}px`;
    tip.style.top = `${event.clientY + 16}px`;
  });
})();
