// The cart, in localStorage, with the key and the body of an order whose outcome is not known yet.
import { Problem, call } from "./api.js";

/** @typedef {import("./api.js").Schemas} Schemas */
/** @typedef {Schemas["PlaceOrderItemRequest"]} Item */
/** @typedef {{ items: Item[], key: string, pending: Schemas["PlaceOrderRequest"] | null }} Cart */

const MAX_QUANTITY = 10_000;
export const changes = new EventTarget();

const empty = () => /** @type {Cart} */ ({ items: [], key: crypto.randomUUID(), pending: null });

export function read() {
  try {
    return /** @type {Cart} */ (JSON.parse(localStorage.getItem("cart") ?? "")) ?? empty();
  } catch {
    return empty();
  }
}

function write(/** @type {Cart} */ cart) {
  localStorage.setItem("cart", JSON.stringify(cart));
  changes.dispatchEvent(new Event("change"));
}

export const count = () => read().items.reduce((sum, item) => sum + item.quantity, 0);

/** Set what is in the cart. While the outcome of an order is not known, it stays as it is. */
export function setItems(/** @type {Item[]} */ items) {
  const cart = read();
  if (!cart.pending) write({ ...cart, items });
  return !cart.pending;
}

export function setQuantity(/** @type {number} */ product, /** @type {number} */ quantity) {
  const { items } = read();
  const changed = { product, quantity: Math.min(quantity, MAX_QUANTITY) };
  const known = items.some((item) => item.product === product);
  const all = known ? items.map((item) => (item.product === product ? changed : item)) : [...items, changed];
  return setItems(all.filter((item) => item.quantity > 0));
}

export function add(/** @type {number} */ product, /** @type {number} */ quantity) {
  const there = read().items.find((item) => item.product === product)?.quantity ?? 0;
  return setQuantity(product, there + quantity);
}

/**
 * Place the order. It is stored first, with the key that the cart has had from its first item, so that
 * the same request can be sent again, after a reload too, until its outcome is known. Throws a Problem.
 * @param {Schemas["PlaceOrderRequest"]} [body] left out to send the stored one again
 */
export async function placeOrder(body) {
  const cart = read();
  const pending = cart.pending ?? body;
  write({ ...cart, pending: pending ?? null });
  try {
    const order = await call("post", "/api/orders/", { body: pending, key: cart.key });
    write(empty());
    return order;
  } catch (error) {
    // Only these say that the shop looked at the order and did not place it.
    const rejected = error instanceof Problem && [400, 409, 413, 422].includes(error.status);
    if (rejected && error.body.code !== "conflict") forgetOrder();
    throw error;
  }
}

/** A rejected order frees its key, and the next one gets a key of its own. */
export function forgetOrder() {
  write({ ...read(), key: crypto.randomUUID(), pending: null });
}
