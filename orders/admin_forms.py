"""The forms that ask before an order changes. `save` calls the order's verb of that name."""

from django import forms
from django.contrib.auth import get_user_model
from django.utils.text import capfirst

from orders.models import Order, OrderEvent
from orders.serializers import ShippingAddressSerializer
from products.forms import WholeNumberField
from shopply.api.fields import validate_line


class NoteField(forms.CharField):
    """A text of one line, in a box in which Enter does not submit: it counts as a blank."""

    widget = forms.Textarea
    default_validators = (validate_line,)

    def __init__(self, **kwargs):
        super().__init__(
            max_length=OrderEvent._meta.get_field("note").max_length,
            help_text="The customer sees it.",
            **kwargs,
        )
        self.widget.attrs["rows"] = 2

    def to_python(self, value):
        return " ".join(super().to_python(value).split())


class MultilineField(forms.CharField):
    """Counts and returns a line end as one character, where browsers send two."""

    widget = forms.Textarea

    def to_python(self, value):
        return "\n".join(super().to_python(value).splitlines())


class OrderForm(forms.Form):
    """Carries the version of the order that the page shows, so that no other is changed.

    Its page has `title` with the order's number, `effect`, what happens, and `button`. The order's
    page links to it by `label`. `message` says afterwards what happened.
    """

    required_css_class = "required"
    label = button = ""
    effect = ""
    message = "{order} is {status} now."
    is_dangerous = False
    stays = False  # on the order's page afterwards

    seen = forms.CharField(required=False, strip=False, widget=forms.HiddenInput)

    def __init__(self, *args, order, **kwargs):
        super().__init__(*args, **kwargs)
        self.order = order
        self.initial["seen"] = self.get_version()

    def get_version(self):
        """Return a text that differs after each change that the user should know of."""
        return self.order.modified.isoformat()

    @property
    def is_outdated(self):
        """Whether the order changed since the page was shown, or nobody knows."""
        seen = self.cleaned_data["seen"].splitlines()  # a browser sends other line ends
        is_sent = self.add_prefix("seen") in self.data
        return not is_sent or seen != self.get_version().splitlines()

    def update_version(self):
        """Carry the current version from now on, together with what was entered."""
        self.data = self.data.copy()
        self.data[self.add_prefix("seen")] = self.get_version()


class NoteForm(OrderForm):
    note = NoteField(label="Note to the customer", required=False)

    field_order = ("seen", "carrier", "tracking_number")  # the note comes last
    verb = ""

    def get_details(self):
        """Return the keyword arguments of the order's verb."""
        return {name: value for name, value in self.cleaned_data.items() if name != "seen"}

    def save(self, by):
        getattr(self.order, self.verb)(by=by, **self.get_details())


class ConfirmForm(NoteForm):
    verb = "confirm"
    title = "Confirm order {}"
    label = button = "Confirm order"
    effect = "The shop accepts the order. The stock stays as it is: the pieces are set aside."


class ShipForm(NoteForm):
    verb = "ship"
    title = "Ship order {}"
    label = button = "Ship order"
    effect = "The parcel is on its way. The stock stays as it is."
    carrier = forms.CharField(
        max_length=Order._meta.get_field("carrier").max_length,
        required=False,
        validators=[validate_line],
        widget=forms.TextInput(attrs={"list": "carriers", "autocomplete": "off"}),
    )
    tracking_number = forms.CharField(
        max_length=Order._meta.get_field("tracking_number").max_length,
        required=False,
        validators=[validate_line],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="The customer sees carrier and number.",
    )


class DeliverForm(NoteForm):
    verb = "deliver"
    title = "Deliver order {}"
    label = button = "Deliver order"
    effect = "The parcel has arrived. The stock stays as it is."


class CancelForm(NoteForm):
    verb = "cancel"
    title = "Cancel order {}"
    label = button = "Cancel order"
    effect = "This cannot be undone. The stock goes back:"
    is_dangerous = True
    note = NoteField(label="Reason")


class UndoForm(NoteForm):
    verb = "undo"
    title = "Undo the last step of order {}"
    label = "Undo"
    button = "Undo the last step"
    stays = True

    @property
    def effect(self):
        if self.order.status == "shipped":
            return (
                "The order is confirmed again, as if it had not been shipped. Carrier and tracking"
                " number are removed. The stock stays as it is."
            )
        return "The order is shipped again, as if it had not arrived. The stock stays as it is."


class AddressForm(NoteForm):
    title = "Correct the address of order {}"
    label = "Correct the address"
    button = "Save address"
    effect = "The order goes to this address. The events keep the old one."
    message = "The address of {order} is saved."
    stays = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        parts = ShippingAddressSerializer().fields
        labels = {field.name: field.verbose_name for field in get_user_model()._meta.fields}
        for part, field in parts.items():
            self.fields[part] = forms.CharField(
                label=capfirst(labels.get(part, part)),
                max_length=field.max_length,
                required=not field.allow_blank,
                help_text=field.help_text,
                validators=[validate_line],
                widget=forms.TextInput(attrs={"autocomplete": "off"}),
            )
        self.order_fields(["seen", *parts])
        self.initial |= self.order.shipping_address or {}

    def save(self, by):
        address = self.get_details()
        note = address.pop("note")
        self.order.correct_address(address, by=by, note=note)


class ReturnForm(NoteForm):
    title = "Book a return of order {}"
    label = "Book a return"
    effect = (
        "The pieces go back into stock, or are written off if they are damaged. The shop keeps no"
        " payments: refund the customer separately."
    )
    message = "The return of {order} is booked."
    stays = True
    # Which of two buttons was pressed: in a radio button, Enter would press one.
    damaged = forms.TypedChoiceField(
        choices=[("no", "Put back into stock"), ("yes", "Damaged, write off")],
        coerce=lambda choice: choice == "yes",
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.quantity_fields = {f"quantity_{item.product_id}": item for item in self.items}
        for name, item in self.quantity_fields.items():
            self.fields[name] = WholeNumberField(
                label=item.name,
                label_suffix="",
                min_value=0,
                max_value=item.quantity - item.returned,
                required=False,
            )
        self.order_fields(["seen", *self.quantity_fields])

    @property
    def items(self):
        return [item for item in self.order.item_list if item.returned < item.quantity]

    @property
    def lines(self):
        """The items that can come back, each with the field of its quantity."""
        return [(item, self[name]) for name, item in self.quantity_fields.items()]

    def clean(self):
        cleaned_data = super().clean()
        has_quantity = any(self.cleaned_data.get(name) for name in self.quantity_fields)
        if not has_quantity and not self.quantity_fields.keys() & self.errors.keys():
            self.add_error(None, "Enter how many pieces came back.")
        return cleaned_data

    def save(self, by):
        quantities = {
            item.product_id: self.cleaned_data[name]
            for name, item in self.quantity_fields.items()
            if self.cleaned_data[name]
        }
        damaged, note = self.cleaned_data["damaged"], self.cleaned_data["note"]
        self.order.return_items(quantities, damaged=damaged, by=by, note=note)


class StaffNoteForm(OrderForm):
    """The only one whose version is its own text: other changes of the order do not matter."""

    title = "Staff note of order {}"
    label = "Staff note"
    button = "Save staff note"
    message = "The staff note of {order} is saved."
    stays = True
    prefix = "staff"  # the order's page has it beside other forms
    note = MultilineField(
        label="Staff note",
        max_length=Order._meta.get_field("staff_note").max_length,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="The customer does not see it.",
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.initial["note"] = self.order.staff_note

    def get_version(self):
        return self.order.staff_note

    def save(self, by):
        self.order.write_staff_note(self.cleaned_data["note"])


# By the names of `allowed_actions`.
FORMS = {
    "confirm": ConfirmForm,
    "ship": ShipForm,
    "deliver": DeliverForm,
    "undo": UndoForm,
    "correct_address": AddressForm,
    "return": ReturnForm,
    "cancel": CancelForm,
    "staff_note": StaffNoteForm,
}
