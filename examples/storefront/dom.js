// Elements, forms and messages. Data becomes text or attributes, never HTML.
import { Problem } from "./api.js";

/** @typedef {string | number | boolean | null | undefined | ((event: any) => void)} Value */
/** @typedef {Node | string | false | null | undefined} Child */
/** @typedef {{ name: string, label: string, type?: string, hint?: string, [attribute: string]: Value }} Field */

/**
 * Make an element: functions listen to events, everything else is an attribute.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, Value>} attributes
 * @param {...Child} children
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

export const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

let kept = false;

/** Say something in the live region; `keep` it through the next change of the view. */
export function announce(/** @type {string} */ text, keep = false) {
  byId("message").textContent = text;
  kept = keep;
}

export function clearMessage() {
  if (!kept) byId("message").textContent = "";
  kept = false;
}

/** @param {string} amount a decimal string, which Intl formats without making a float of it */
export function money(amount, /** @type {string} */ currency) {
  const format = new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency });
  return format.format(/** @type {Intl.StringNumericLiteral} */ (amount));
}

export function time(/** @type {string} */ moment) {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  return h("time", { datetime: moment }, format.format(new Date(moment)));
}

/** What to say about a problem: the errors that it points at, or what went wrong. */
export const explain = (/** @type {Problem} */ { body, message }) =>
  body.errors?.map((error) => error.detail).join(" ") || message;

/** An input with its label. Its name is the pointer of its errors without the first slash. */
export function input(/** @type {Field} */ { name, label, hint, ...attributes }) {
  const id = `field/${name}`;
  const about = hint && h("small", { id: `${id}/hint` }, hint);
  const field = h("input", { id, name, "aria-describedby": `${id}/hint ${id}/error`, ...attributes });
  const error = h("span", { id: `${id}/error`, class: "error" });
  return h("p", { class: "field" }, h("label", { for: id }, label), about, field, error);
}

/**
 * A form that shows problems beside their fields. The label is that of its button.
 * @type {(children: Child[], label: string, submit: (data: Record<string, string>) => Promise<void>) => Node}
 */
export function form(children, label, submit) {
  const button = h("button", { class: "primary" }, label);
  const summary = h("p", { class: "error", role: "alert" });
  const onSubmit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (element.ariaBusy === "true") return;
    element.ariaBusy = "true";
    showErrors(element, summary);
    try {
      await submit(/** @type {Record<string, string>} */ (Object.fromEntries(new FormData(element))));
    } catch (error) {
      if (!(error instanceof Problem) || error.status === 401) throw error; // 401: the page asks for a log-in
      showErrors(element, summary, error);
      if (error.wait > 0) {
        button.disabled = true;
        setTimeout(() => (button.disabled = false), error.wait * 1000);
      }
    } finally {
      element.ariaBusy = "false";
    }
  };
  const element = h("form", { submit: onSubmit }, ...children, summary, button);
  return element;
}

/**
 * Show each error at the field that its pointer names, others in the summary; without a problem, none.
 * @type {(root: HTMLElement, summary: HTMLElement, problem?: Problem) => void}
 */
export function showErrors(root, summary, problem) {
  const fields = [...root.querySelectorAll("input")];
  const errors = problem?.body.errors ?? [];
  for (const field of fields) {
    const own = errors.filter((error) => error.pointer === `/${field.name}`);
    field.ariaInvalid = own.length ? "true" : null;
    field.nextElementSibling?.replaceChildren(own.map((error) => error.detail).join(" "));
  }
  const beside = errors.every((error) => fields.some((field) => error.pointer === `/${field.name}`));
  summary.textContent = !problem || (errors.length && beside) ? "" : explain(problem);
  fields.find((field) => field.ariaInvalid)?.focus();
}

/** @type {(href: string, ...children: Child[]) => HTMLElement} */
export const link = (href, ...children) => h("a", { href }, ...children);
