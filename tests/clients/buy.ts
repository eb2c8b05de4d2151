// The whole money path in TypeScript: openapi-typescript made `schema.d.ts` of the document.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const baseUrl = process.argv[2]!;
const anyone = createClient<paths>({ baseUrl });
const username = "typescript";
const password = "a-till-in-a-harbour";

const { data: customer } = await anyone.POST("/api/customers/", {
  body: {
    username,
    password,
    email: "typescript@example.com",
    street_1: "Elbchaussee 112",
    city: "Hamburg",
    country: "Germany",
  },
});
assert.equal(customer?.username, username);

const { data: session } = await anyone.POST("/api/obtain-token/", { body: { username, password } });
const headers = { Authorization: `Token ${session!.token}` };
const shop = createClient<paths>({ baseUrl, headers });

const { data: page } = await shop.GET("/api/products/", {
  params: { query: { in_stock: true, items_per_page: 100 } },
});
const product = page!.results[0]!;
const body = { items: [{ product: product.id, quantity: 2 }] };
const { data: quote } = await shop.POST("/api/orders/quote/", { body });
assert.equal(quote?.items[0]?.unit_price, product.price);

const order = { ...body, expected_total: quote!.total_price };
const params = { header: { "Idempotency-Key": crypto.randomUUID() } };
const { data: placed } = await shop.POST("/api/orders/", { params, body: order });
const { data: replayed, response } = await shop.POST("/api/orders/", { params, body: order });
assert.equal(placed?.status, "placed");
assert.deepEqual(replayed, placed);
assert.equal(response.headers.get("Idempotent-Replayed"), "true");

const scarce = page!.results.find((other) => other.quantity_in_stock < 10_000)!;
const { data, error } = await shop.POST("/api/orders/", {
  params: { header: { "Idempotency-Key": crypto.randomUUID() } },
  body: { items: [{ product: scarce.id, quantity: 10_000 }] },
});
assert.equal(data, undefined);
const problem: components["schemas"]["Problem"] = error!;
assert.equal(problem.code, "out_of_stock");
assert.equal(problem.status, 409);
const [shortage] = problem.errors!;
assert.equal(shortage!.pointer, "/items/0/quantity");
assert.ok(shortage!.available! < shortage!.requested!);
assert.deepEqual(problem.suggested_items, [{ product: scarce.id, quantity: shortage!.available }]);

const { data: own } = await shop.GET("/api/orders/");
assert.deepEqual(own?.results, [placed]);

const { data: cancelled } = await shop.POST("/api/orders/{id}/cancel/", {
  params: { path: { id: placed!.id } },
  body: { note: "Ordered twice." },
});
assert.equal(cancelled?.status, "cancelled");
