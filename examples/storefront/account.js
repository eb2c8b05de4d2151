// Registering, logging in, and a forgotten password.
import { call, session } from "./api.js";
import { announce, form, h, input, link } from "./dom.js";

/** @typedef {import("./app.js").Address} Address */

const USERNAME = { name: "username", label: "User name", autocomplete: "username", required: true };
const EMAIL = { name: "email", label: "E-mail address", type: "email", autocomplete: "email", required: true };
const PASSWORD = { name: "password", label: "Password", type: "password", required: true };
const NEW = { autocomplete: "new-password", minlength: 10, hint: "At least 10 characters." };
const FIRST_NAME = { name: "first_name", label: "First name", autocomplete: "given-name" };
const LAST_NAME = { name: "last_name", label: "Last name", autocomplete: "family-name" };
export const PLACE = [
  { name: "street_1", label: "Street and number", autocomplete: "address-line1" },
  { name: "postal_code", label: "Postal code", autocomplete: "postal-code" },
  { name: "city", label: "City", autocomplete: "address-level2" },
  { name: "country", label: "Country", autocomplete: "country-name" },
];

/** @param {string} username */
async function obtainToken(username, /** @type {string} */ password, next = "/") {
  const { token } = await call("post", "/api/obtain-token/", { body: { username, password } });
  session.token = token;
  announce("You are logged in.", true);
  location.hash = `#${next}`;
}

/** @param {Address} address */
export async function logIn({ query }) {
  const fields = [
    input({ ...USERNAME, label: "User name or e-mail address" }),
    input({ ...PASSWORD, autocomplete: "current-password" }),
  ];
  const logIn = form(fields, "Log in", ({ username = "", password = "" }) =>
    obtainToken(username, password, query.get("next") ?? undefined),
  );
  const others = [link("#/register", "Register"), " or ", link("#/forgotten", "set a new password"), "."];
  return { title: "Log in", content: [logIn, h("p", {}, ...others)] };
}

export async function register() {
  const fields = [USERNAME, EMAIL, { ...PASSWORD, ...NEW }].map(input);
  const profile = [FIRST_NAME, LAST_NAME, ...PLACE].map(input);
  const address = h("fieldset", {}, h("legend", {}, "Where parcels go (optional)"), ...profile);
  const register = form([...fields, address], "Register", async (data) => {
    const { username = "", password = "", email = "" } = data;
    await call("post", "/api/customers/", { body: { ...data, username, password, email } });
    await obtainToken(username, password, "/cart");
  });
  return { title: "Register", content: [register] };
}

export async function forgotten() {
  const send = form([input(EMAIL)], "Send me a link", async ({ email = "" }) => {
    await call("post", "/api/customers/password-reset/", { body: { email } });
    announce("If an account has this address, a mail with a link is on its way.", true);
    location.hash = "#/log-in";
  });
  return { title: "Forgotten password", content: [send] };
}

/** The page of `EMAIL_CONFIRMATION_URL`, `#/confirm?uid={uid}&token={token}`. */
export async function confirm(/** @type {Address} */ { query }) {
  const { uid = "", token = "" } = Object.fromEntries(query);
  const confirm = form([], "Confirm my address", async () => {
    await call("post", "/api/customers/confirm-email/", { body: { uid, token } });
    announce("Your e-mail address is confirmed.", true);
    location.replace("#/");
  });
  return { title: "Confirm your e-mail address", content: [confirm] };
}

/** The page of `PASSWORD_RESET_URL`, `#/reset?uid={uid}&token={token}`. */
export async function reset(/** @type {Address} */ { query }) {
  const { uid = "", token = "" } = Object.fromEntries(query);
  const field = { ...PASSWORD, ...NEW, name: "new_password", label: "New password" };
  const change = form([input(field)], "Set the password", async ({ new_password = "" }) => {
    await call("post", "/api/customers/password-reset/confirm/", { body: { uid, token, new_password } });
    session.token = null; // revoked
    announce("Your password is set. Log in with it.", true);
    location.replace("#/log-in"); // the link leaves the history
  });
  return { title: "New password", content: [change, h("p", {}, link("#/forgotten", "Send me another link"))] };
}
