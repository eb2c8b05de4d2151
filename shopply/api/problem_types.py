"""The registry of stable error codes: clients program against them, so no code ever changes."""

from dataclasses import dataclass

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class ProblemType:
    status: int
    title: str
    meaning: str
    hint: str


PROBLEM_TYPES = {
    "validation_error": ProblemType(
        400,
        "Validation error",
        "A field of the body, or a query parameter, is missing or has a value it cannot have.",
        "Each entry of errors says what is wrong and where: pointer is a JSON pointer into "
        "the body, parameter the name of a query parameter. Correct them and send again.",
    ),
    "parse_error": ProblemType(
        400,
        "Not JSON",
        "The body could not be read as JSON.",
        "Send UTF-8 JSON; detail says where reading stopped. NaN and Infinity are not JSON.",
    ),
    "bad_request": ProblemType(
        400,
        "Bad request",
        "The request was refused before it was read: its Host is none of this server's, it has a "
        "null character in the query or a cookie, or it is no proper HTTP.",
        "Address the server by a name it is configured for, or correct what detail names.",
    ),
    "not_authenticated": ProblemType(
        401,
        "Not logged in",
        "This needs to know who you are, and the request does not say.",
        "Send Authorization: Token <TOKEN>; POST /api/obtain-token/ gives you a token.",
    ),
    "authentication_failed": ProblemType(
        401,
        "Authentication failed",
        "The Authorization header is malformed, or the token, name or password in it is wrong, "
        "or the account is closed.",
        "Correct the header, obtain a new token, or leave the header out where none is needed.",
    ),
    "token_expired": ProblemType(
        401,
        "Token expired",
        "The token was right, but it is too old: the shop lets tokens live for some days only.",
        "POST /api/obtain-token/ gives you a new one.",
    ),
    "permission_denied": ProblemType(
        403,
        "Not allowed",
        "You are logged in, but this is for the shop's staff.",
        "Use an account of the shop's staff.",
    ),
    "not_found": ProblemType(
        404,
        "Not found",
        "There is nothing here, or nothing that you may see.",
        "Check the path and the id. Other customers' orders and accounts are not found either.",
    ),
    "method_not_allowed": ProblemType(
        405,
        "Method not allowed",
        "This address does not answer to this method.",
        "The Allow header lists the methods it answers to.",
    ),
    "not_acceptable": ProblemType(
        406,
        "Not acceptable",
        "The Accept header leaves no form of answer that the shop can give.",
        "Accept application/json.",
    ),
    "conflict": ProblemType(
        409,
        "Conflict",
        "Another request changed the same thing at the same moment; this one changed nothing.",
        "Read the current state and send the request again.",
    ),
    "out_of_stock": ProblemType(
        409,
        "Out of stock",
        "The shop cannot supply every line of the order, so nothing was ordered.",
        "Each entry of errors points at a line and says how many are left. suggested_items is what "
        "the shop can supply of the order: post it as items, if it is not empty.",
    ),
    "price_changed": ProblemType(
        409,
        "Price changed",
        "The order comes to another sum than expected_total, so nothing was ordered.",
        "total_price and items have today's prices. Show them to your customer, and order again.",
    ),
    "illegal_transition": ProblemType(
        409,
        "Not from this state",
        "The order is in no state from which this move starts; perhaps someone else just moved it.",
        "Get the order: its actions are the moves that you may make now.",
    ),
    "stock_out_of_bounds": ProblemType(
        409,
        "Not that many in stock",
        "The adjustment would leave less than nothing in stock, or more than the shop can count.",
        "Get the product, count again and send another delta.",
    ),
    "last_superuser": ProblemType(
        409,
        "The last superuser",
        "Without this account, nobody could run the shop.",
        "Make another account a superuser, in the admin, and then close this one.",
    ),
    "product_in_use": ProblemType(
        409,
        "Product was ordered",
        "A product that was ever ordered cannot be deleted: orders are records.",
        "Retire it instead: PATCH it with is_active false.",
    ),
    "request_too_large": ProblemType(
        413,
        "Request too large",
        "The body is larger than the server reads.",
        "Send a smaller body; detail names the limit.",
    ),
    "unsupported_media_type": ProblemType(
        415,
        "Unsupported media type",
        "The body is not declared as JSON.",
        "Send Content-Type: application/json.",
    ),
    "idempotency_key_reused": ProblemType(
        422,
        "Key used for another order",
        "You placed an order with this Idempotency-Key and another body.",
        "Make a new key for each new order; send the same key only to repeat the same request.",
    ),
    "throttled": ProblemType(
        429,
        "Too many requests",
        "You, or others at your address, asked more often than the shop allows.",
        "Wait as many seconds as Retry-After says. Pages of 100 (items_per_page) and filters such "
        "as modified_after get the same with fewer requests.",
    ),
    "too_many_failures": ProblemType(
        429,
        "Too many failed log-ins",
        "Log-ins to this account, or from your address, failed so often that passwords are not "
        "looked at for a while, right or wrong. Tokens go on working.",
        "Wait as many seconds as Retry-After says, and then send the right password; or send a "
        "token instead of a password.",
    ),
    "service_unavailable": ProblemType(
        503,
        "Unavailable",
        "The database is busy, out of reach or behind on migrations. Nothing was changed, as far "
        "as is known.",
        "Try again after as many seconds as Retry-After says, an order with the same "
        "Idempotency-Key, so that it is placed once.",
    ),
    "internal_error": ProblemType(
        500,
        "Internal server error",
        "The server failed. The failure was logged under the request_id of the answer.",
        "Try again later; tell the shop the request_id if it happens again.",
    ),
}


def problem_document(code, url, request_id, detail=None, **members):
    """The problem document (RFC 9457) of a code, whose page is at `url`.

    `detail` defaults to the meaning of the code; `members` (such as `errors`) are added to it.
    """
    problem_type = PROBLEM_TYPES[code]
    return {
        "type": url,
        "title": problem_type.title,
        "status": problem_type.status,
        "code": code,
        "detail": detail or problem_type.meaning,
        "request_id": request_id,
        **members,
    }
