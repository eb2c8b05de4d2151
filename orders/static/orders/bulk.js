/* Makes the steps of a bulk transition, and shows how far it is. Without it, staff press Continue. */

"use strict";

const form = document.getElementById("bulk-step");
const bar = document.getElementById("bulk-progress");
const text = document.getElementById("bulk-text");
const button = document.getElementById("bulk-continue");
const MAX_FAILURES = 5;

function wait(seconds) {
  return new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
}

async function makeStep() {
  const response = await fetch(form.action, {
    method: "POST",
    body: new URLSearchParams(new FormData(form)),
    headers: { Accept: "application/json" },
  });
  return response.json(); // fails for a page, such as that to log in
}

async function makeSteps() {
  let failures = 0;
  button.hidden = true;
  while (failures < MAX_FAILURES) {
    try {
      const progress = await makeStep();
      failures = 0;
      bar.value = progress.done;
      text.textContent = progress.text;
      if (progress.done === progress.total) {
        location.reload(); // leads to the list
        return;
      }
    } catch {
      failures += 1;
      text.textContent = "The shop does not respond. Trying again.";
      await wait(failures);
    }
  }
  text.textContent = "The shop does not respond. Continue, or reload the page.";
  button.hidden = false;
}

makeSteps();
