// The cart and the order. The shop does the sums: the quote has the prices, the total and the address.
import { PLACE } from "./account.js";
import { Problem, call, session } from "./api.js";
import * as cart from "./cart.js";
import { thumbnail } from "./catalogue.js";
import { announce, explain, form, h, input, link, money, showErrors } from "./dom.js";
import { address } from "./orders.js";

/** @typedef {import("./api.js").Schemas} Schemas */

const ADDRESS = [{ name: "name", label: "Name", autocomplete: "name" }, ...PLACE].map((field) => {
  return { ...field, name: `shipping_address/${field.name}` };
});

/** @param {import("./app.js").Address} address */
export async function checkout({ signal }) {
  const { items, pending } = cart.read();
  if (pending) return unfinished();
  if (!items.length) return { title: "Your cart is empty", content: [h("p", {}, link("#/", "Go to the shop"))] };
  const id = items.map((item) => item.product);
  const [products, quote] = await Promise.all([
    call("get", "/api/products/", { query: { id, items_per_page: 100 }, signal }),
    call("post", "/api/orders/quote/", { body: { items }, signal }).catch(asProblem),
  ]);
  const rows = items.map((item, index) => {
    const product = products.results.find((product) => product.id === item.product);
    return line(item, index, product, quote instanceof Problem ? undefined : quote);
  });
  const summary = h("p", { class: "error", role: "alert" });
  const lines = h("ul", { class: "lines" }, ...rows);
  if (quote instanceof Problem) {
    showErrors(lines, summary, quote);
    return { title: "Your cart", content: [lines, summary, suggestion(quote)] };
  }
  const total = money(quote.total_price, quote.currency);
  const order = session.token ? orderForm(quote, total) : link("#/log-in?next=/cart", "Log in to order");
  return { title: "Your cart", content: [lines, h("p", { class: "price" }, `Total: ${total}`), order] };
}

/** A rejected quote is shown in the cart, everything else instead of it. */
function asProblem(/** @type {unknown} */ error) {
  if (error instanceof Problem && [400, 409].includes(error.status)) return error;
  throw error;
}

/**
 * A line of the cart; without a product, if that is no longer for sale.
 * @type {(item: cart.Item, index: number, product?: Schemas["Product"], quote?: Schemas["Quote"]) => Node}
 */
function line(item, index, product, quote) {
  const change = (/** @type {number} */ quantity) => {
    cart.setQuantity(item.product, quantity);
    cart.changes.dispatchEvent(new Event("refresh"));
  };
  const quoted = quote?.items.find((quoted) => quoted.product === item.product);
  const name = product?.name ?? "No longer for sale";
  const onChange = (/** @type {any} */ { target }) => target.reportValidity() && change(target.valueAsNumber);
  const attributes = { type: "number", required: true, min: 1, max: 10_000, value: item.quantity, change: onChange };
  const label = { label: "Quantity", "aria-label": `Quantity of ${name}` };
  const quantity = input({ name: `items/${index}/quantity`, ...label, ...attributes });
  const total = h("strong", {}, quoted && quote && money(quoted.line_total, quote.currency));
  const remove = h("button", { "aria-label": `Remove ${name}`, click: () => change(0) }, "Remove");
  return h("li", {}, thumbnail(product), link(`#/products/${item.product}`, name), quantity, total, remove);
}

/** What the shop can supply instead, for the customer to accept. */
function suggestion(/** @type {Problem} */ problem) {
  const items = problem.body.suggested_items;
  if (!items) return null;
  const accept = () => {
    cart.setItems(items);
    announce("Your cart has what the shop can supply.", true);
    cart.changes.dispatchEvent(new Event("refresh"));
  };
  if (!items.length) return h("p", {}, "The shop can supply none of this now.");
  return h("button", { class: "primary", click: accept }, "Take what is available");
}

/** @param {Schemas["Quote"]} quote */
function orderForm(quote, /** @type {string} */ total) {
  const to = quote.shipping_address;
  const fields = [
    h("h2", {}, to ? "We send it to" : "You collect it"),
    to && address(to),
    h("details", {}, h("summary", {}, "Send it to another address"), ...ADDRESS.map(input)),
    input({ name: "note", label: "A note for the shop", maxlength: 500 }),
  ];
  return form(fields, `Order for ${total}`, async (data) => {
    const parts = ADDRESS.map(({ name }) => [name.split("/")[1], data[name]]).filter(([, part]) => part);
    const other = parts.length ? { shipping_address: Object.fromEntries(parts) } : {};
    await place({ items: cart.read().items, expected_total: quote.total_price, note: data.note ?? "", ...other });
  });
}

/** Place this order, or the stored one again. */
async function place(/** @type {Schemas["PlaceOrderRequest"] | undefined} */ body) {
  try {
    const order = await cart.placeOrder(body);
    announce(`Thank you. Your order ${order.id} is placed.`, true);
    location.hash = `#/orders/${order.id}`;
  } catch (error) {
    if (!(error instanceof Problem) || error.status === 401) throw error;
    const { code, errors } = error.body;
    if (errors?.some(({ pointer }) => pointer?.startsWith("/shipping_address") || pointer === "/note")) throw error;
    const changed = code === "price_changed" ? " Look at the new prices, and order again." : "";
    if (error.status) announce(explain(error) + changed, true); // if not, the page says that it is offline
    cart.changes.dispatchEvent(new Event("refresh")); // new prices, what is short, or an unfinished order
  }
}

/** A request was sent, and no response came: the order may have been placed. */
function unfinished() {
  const why = "We do not know yet whether your order has reached the shop. Try again: it is placed only once.";
  const again = form([h("p", {}, why)], "Try again", () => place(undefined));
  return { title: "Your order is not confirmed", content: [again] };
}
