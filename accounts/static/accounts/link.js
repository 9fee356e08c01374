// Sends the token behind the address's "#", which no server has seen, with the form's fields.
"use strict";

const form = document.getElementById("link");
const outcome = document.getElementById("outcome");
const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
// Not in the history either, nor in a screenshot.
history.replaceState(null, "", location.pathname);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  outcome.textContent = "";
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...Object.fromEntries(new FormData(form)), token }),
    });
    outcome.textContent = answer.ok ? button.dataset.done : (await answer.json()).detail;
    form.hidden = answer.ok;
  } catch {
    outcome.textContent = form.dataset.failed;
  }
  button.disabled = false;
});
