// Stripe's own card form. What is typed into it stays between the browser and Stripe.
"use strict";

(() => {
  const form = document.getElementById("card-form");
  if (!form || !window.Stripe) return;
  const wrong = document.getElementById("card-error");
  const button = form.querySelector("button");
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const stripe = window.Stripe(form.dataset.key);
  const elements = stripe.elements({
    clientSecret: form.dataset.secret,
    appearance: { theme: dark ? "night" : "stripe" },
  });
  elements.create("payment").mount("#card-element");
  form.hidden = false;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    wrong.textContent = "";
    const { error } = await stripe.confirmPayment({
      elements,
      redirect: "if_required",
      confirmParams: { return_url: location.origin + location.pathname },
    });
    wrong.textContent = error ? error.message : "";
    button.disabled = false;
  });
})();
