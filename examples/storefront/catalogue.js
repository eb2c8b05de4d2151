// The shop window: products by category, by search and by page, and a product with its pictures.
import { call } from "./api.js";
import * as cart from "./cart.js";
import { announce, form, h, input, link, money } from "./dom.js";

/** @typedef {import("./api.js").Schemas} Schemas */
/** @typedef {import("./app.js").Address} Address */

/** @param {Address} address */
export async function products({ query, signal }) {
  const category = query.get("category") ?? "";
  const search = query.get("search") ?? undefined;
  const page = Number(query.get("page") ?? 1);
  const filter = { category: category ? [category] : undefined, search, page, items_per_page: 12 };
  const [tree, list] = await Promise.all([
    call("get", "/api/categories/", { signal }),
    call("get", "/api/products/", { query: filter, signal }),
  ]);
  const to = (/** @type {number} */ number) =>
    `#/?${new URLSearchParams({ ...Object.fromEntries(query), page: String(number) })}`;
  const name = findPath(tree, category).at(-1)?.name;
  const found = `${list.count === 1 ? "1 product" : `${list.count} products`}${page > 1 ? `, page ${page}` : ""}`;
  const previous = list.previous && link(to(page - 1), "Previous page");
  const next = list.next && link(to(page + 1), "Next page");
  return {
    title: search ? `Search: ${search}` : (name ?? "All products"),
    content: [
      h("nav", { class: "categories", "aria-label": "Categories" }, categories(tree, category)),
      h("p", { class: "count" }, found),
      h("ul", { class: "products" }, ...list.results.map(card)),
      h("nav", { class: "pages", "aria-label": "Pages" }, previous, next),
    ],
  };
}

/**
 * The categories from the top down to the one with this slug.
 * @type {(tree: Schemas["Category"][], slug: string) => Schemas["Category"][]}
 */
function findPath(tree, slug) {
  for (const category of tree) {
    const below = category.slug === slug ? [] : findPath(category.children, slug);
    if (category.slug === slug || below.length) return [category, ...below];
  }
  return [];
}

/**
 * The top of the tree, opened down to the current category.
 * @type {(tree: Schemas["Category"][], current: string) => HTMLElement}
 */
function categories(tree, current) {
  const open = findPath(tree, current);
  const entries = tree.map((category) => {
    const { slug, name, product_count, children } = category;
    const place = { href: `#/?${new URLSearchParams({ category: slug })}`, "aria-current": slug === current && "page" };
    const below = open.includes(category) && children.length > 0 && categories(children, current);
    return h("li", {}, h("a", place, `${name} (${product_count})`), below);
  });
  return h("ul", {}, ...entries);
}

function card(/** @type {Schemas["Product"]} */ product) {
  const { id, name, price, currency, in_stock } = product;
  const title = link(`#/products/${id}`, thumbnail(product), h("span", {}, name));
  return h("li", {}, title, h("strong", {}, money(price, currency)), !in_stock && h("em", {}, "Sold out"));
}

/** The first picture, small; its text would only repeat the name beside it. */
export function thumbnail(/** @type {Schemas["Product"] | undefined} */ product) {
  const [image] = product?.images ?? [];
  if (!image) return h("span", { class: "picture" });
  return h("img", { class: "picture", src: image.thumbnail_url, alt: "", loading: "lazy" });
}

/** @param {Address} address */
export async function product({ id, signal }) {
  const product = await call("get", "/api/products/{id}/", { id, signal });
  const fields = input({ name: "quantity", label: "Quantity", type: "number", value: 1, min: 1, max: 10_000 });
  const buy = form([fields], "Add to the cart", async ({ quantity }) => {
    const added = cart.add(id, Number(quantity));
    announce(added ? `${product.name} is in your cart.` : "First finish the order in your cart.");
  });
  const pictures = product.images.map(({ url, alt, width, height }) => h("img", { src: url, alt, width, height }));
  return {
    title: product.name,
    content: [
      h("div", { class: "pictures" }, ...pictures),
      h("p", { class: "price" }, money(product.price, product.currency)),
      h("p", {}, product.in_stock ? `${product.quantity_in_stock} in stock` : "Sold out"),
      product.in_stock && buy,
      h("p", { class: "text" }, product.description),
    ],
  };
}
