// The views and their addresses, and what the page shows around them.
import * as account from "./account.js";
import { Problem, events, session } from "./api.js";
import * as cart from "./cart.js";
import { product, products } from "./catalogue.js";
import { checkout } from "./checkout.js";
import { announce, byId, clearMessage, explain, h, link } from "./dom.js";
import { order, orders } from "./orders.js";

/** @typedef {{ title: string, content: import("./dom.js").Child[] }} View */
/** @typedef {{ id: number, query: URLSearchParams, signal: AbortSignal }} Address */

/** @type {[RegExp, (address: Address) => Promise<View>][]} */
const ROUTES = [
  [/^\/$/, products],
  [/^\/products\/(\d+)$/, product],
  [/^\/cart$/, checkout],
  [/^\/log-in$/, account.logIn],
  [/^\/register$/, account.register],
  [/^\/forgotten$/, account.forgotten],
  [/^\/reset$/, account.reset],
  [/^\/confirm$/, account.confirm],
  [/^\/orders$/, orders],
  [/^\/orders\/(\d+)$/, order],
];
const main = byId("main");
const words = /** @type {HTMLInputElement} */ (byId("words"));
let controller = new AbortController();
let /** @type {string | undefined} */ shown;

/** Show the view that the address names; the focus goes to its heading, or stays at the same element. */
async function show() {
  const hash = location.hash.slice(1);
  const [path = "", search] = (hash || "/").split("?");
  const query = new URLSearchParams(search);
  words.value = query.get("search") ?? "";
  controller.abort();
  controller = new AbortController();
  const { signal } = controller;
  main.ariaBusy = "true";
  if (hash !== shown) clearMessage();
  let /** @type {View} */ view;
  try {
    const [pattern, render] = ROUTES.find(([pattern]) => pattern.test(path)) ?? [];
    if (!pattern || !render) throw new Problem({ status: 404, code: "not_found", detail: "There is no such page." });
    const id = Number(pattern.exec(path)?.[1]);
    view = await render({ id, query, signal });
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    if (error.status === 401) return askForLogIn();
    view = { title: error.status === 404 ? "Not found" : "That did not work", content: failure(error) };
  }
  if (signal.aborted) return;
  const focused = document.activeElement?.id;
  const heading = h("h1", { tabindex: "-1" }, view.title);
  main.replaceChildren(h("div", {}, heading, ...view.content));
  main.ariaBusy = "false";
  document.title = `${view.title} · Harbour Lane`;
  if (shown !== undefined) ((hash === shown && focused && byId(focused)) || heading).focus();
  if (hash !== shown) scrollTo(0, 0);
  shown = hash;
}

function failure(/** @type {Problem} */ problem) {
  const again = h("button", { id: "again", click: show }, "Try again");
  return [h("p", {}, explain(problem)), h("p", {}, problem.status === 404 ? link("#/", "Go to the shop") : again)];
}

function askForLogIn() {
  const next = location.hash.slice(1);
  announce("Please log in to go on.", true);
  location.replace(`#/log-in?${new URLSearchParams({ next })}`);
}

function showMenu() {
  const entries = session.token
    ? [link("#/orders", "Orders"), h("button", { click: logOut }, "Log out")]
    : [link("#/log-in", "Log in"), link("#/register", "Register")];
  byId("menu").replaceChildren(link("#/cart", `Cart (${cart.count()})`), ...entries);
}

function logOut() {
  session.token = null;
  cart.forgetOrder(); // whose key belongs to the account
  announce("You are logged out.", true);
  location.hash = "#/";
  main.focus(); // the button is gone
}

const showState = (text = "") => byId("offline").replaceChildren(text);
const showUnreachable = () => showState(navigator.onLine ? "The shop cannot be reached." : "You are offline.");

byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const search = words.value.trim();
  location.hash = search ? `#/?${new URLSearchParams({ search })}` : "#/";
});
addEventListener("unhandledrejection", ({ reason }) => {
  if (reason instanceof Problem && reason.status === 401) askForLogIn(); // of a form
});
document.querySelector(".skip")?.addEventListener("click", (event) => {
  event.preventDefault(); // the address names the view
  main.focus();
});
events.addEventListener("wait", (event) => {
  showState(`The shop is busy or out of reach. Trying again in ${/** @type {CustomEvent} */ (event).detail} s …`);
});
events.addEventListener("unreachable", showUnreachable);
events.addEventListener("reached", () => showState());
events.addEventListener("session", showMenu);
cart.changes.addEventListener("change", showMenu);
cart.changes.addEventListener("refresh", show);
addEventListener("storage", showMenu); // another tab
addEventListener("offline", showUnreachable);
addEventListener("online", () => showState());
addEventListener("online", () => byId("again")?.click());
addEventListener("hashchange", show);
showMenu();
if (!navigator.onLine) showUnreachable();
show();
