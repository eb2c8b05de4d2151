// The customer's orders: the list, and one with its parcel and what can still be done.
import { call } from "./api.js";
import { announce, form, h, input, link, money, time } from "./dom.js";
import { changes } from "./cart.js";

/** @typedef {import("./api.js").Schemas} Schemas */
/** @typedef {import("./app.js").Address} Address */

/** @param {Address} address */
export async function orders({ query, signal }) {
  const cursor = query.get("cursor") ?? undefined;
  const list = await call("get", "/api/orders/", { query: { cursor, items_per_page: 10 }, signal });
  const older = list.next && new URL(list.next).searchParams.get("cursor");
  const rows = list.results.map(({ id, created, status, total_price, currency }) => {
    const total = h("strong", {}, money(total_price, currency));
    return h("li", {}, link(`#/orders/${id}`, `Order ${id}`), time(created), badge(status), total);
  });
  const none = !rows.length && h("p", {}, "You have not ordered anything yet.");
  const next = older && link(`#/orders?${new URLSearchParams({ cursor: older })}`, "Older orders");
  return { title: "Your orders", content: [none || h("ul", { class: "lines" }, ...rows), next] };
}

/** @param {Address} address */
export async function order({ id, signal }) {
  const order = await call("get", "/api/orders/{id}/", { id, signal });
  const items = order.items.map((item) => {
    const price = `${item.quantity} × ${money(item.unit_price, order.currency)}`;
    const total = h("strong", {}, money(item.line_total, order.currency));
    return h("li", {}, link(`#/products/${item.product}`, item.name), price, total);
  });
  const history = order.events.map(({ action, status, at, note }) => {
    const what = ["correct_address", "return"].includes(action) ? action.replace("_", " ") : status;
    return h("li", {}, time(at), ` ${what} `, note && `“${note}”`);
  });
  const parcel = `${order.carrier} ${order.tracking_number}`.trim();
  return {
    title: `Order ${order.id}`,
    content: [
      h("p", {}, badge(order.status)),
      parcel && h("p", {}, "Parcel: ", order.tracking_url ? link(order.tracking_url, parcel) : parcel),
      h("ul", { class: "lines" }, ...items),
      h("p", { class: "price" }, `Total: ${money(order.total_price, order.currency)}`),
      h("h2", {}, order.shipping_address ? "Sent to" : "To collect"),
      order.shipping_address && address(order.shipping_address),
      h("h2", {}, "What happened"),
      h("ol", {}, ...history),
      order.actions.includes("cancel") && cancel(id),
    ],
  };
}

const badge = (/** @type {string} */ status) => h("span", { class: "status" }, status);

function cancel(/** @type {number} */ id) {
  const reason = input({ name: "note", label: "Why? (optional)", maxlength: 500 });
  const cancel = form([reason], "Cancel the order", async ({ note = "" }) => {
    await call("post", "/api/orders/{id}/cancel/", { id, body: { note } });
    announce(`Order ${id} is cancelled.`, true);
    changes.dispatchEvent(new Event("refresh"));
  });
  return h("details", {}, h("summary", {}, "Cancel this order"), cancel);
}

/** @param {Schemas["ShippingAddress"]} address */
export function address({ name, street_1, street_2, postal_code, city, state, country }) {
  const lines = [name, street_1, street_2, `${postal_code} ${city}`.trim(), state, country].filter(Boolean);
  return h("address", {}, ...lines.flatMap((line) => [line, h("br")]));
}
