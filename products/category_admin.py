"""Categories in the admin: their own pages, and the field and the filter of products."""

from django import forms
from django.contrib import admin
from django.core.validators import MaxLengthValidator
from django.db.models import Count
from django.template.defaultfilters import pluralize
from django.utils.html import format_html

from products.categories import MAX_PER_PRODUCT, TREE_ORDER, Category


class ParentField(forms.ModelChoiceField):
    def label_from_instance(self, category):
        return category.path


class CategoriesField(forms.ModelMultipleChoiceField):
    widget = forms.CheckboxSelectMultiple  # of which each has a label, unlike `filter_horizontal`

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        message = f"Choose at most {MAX_PER_PRODUCT}."
        self.validators.append(MaxLengthValidator(MAX_PER_PRODUCT, message))

    def label_from_instance(self, category):
        return category.path


class CategoryFilter(admin.SimpleListFilter):
    """Products of a category, and of all below it."""

    title = "category"
    parameter_name = "category"

    def lookups(self, request, model_admin):
        return [(category.slug, category.path) for category in Category.objects.in_tree_order()]

    def queryset(self, request, products):
        if self.value():
            return products.in_categories(Category.objects.ids_within([self.value()]))
        return products


class CategoryForm(forms.ModelForm):
    def clean(self):
        cleaned_data = super().clean()
        if "parent" in self.changed_data or self.instance._state.adding:
            Category(pk=self.instance.pk, parent=self.cleaned_data.get("parent")).check_place()
        return cleaned_data


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):
    form = CategoryForm
    list_display = ("indented_name", "slug", "position", "is_active")
    search_fields = ("name", "slug")
    list_per_page = 100
    fields = ("name", "slug", "parent", "position", "is_active")
    permission_labels = {
        "view": "see them, inactive ones too",
        "add": "add them",
        "change": "change, move and hide them",
        "delete": "delete them, which takes them off their products",
    }

    @admin.display(description="category")
    def indented_name(self, category):
        level = len(category.lineage)
        return format_html('<span class="category level-{}">{}</span>', level, category)

    def get_queryset(self, request):
        return Category.objects.in_tree_order()

    def get_ordering(self, request):
        return TREE_ORDER

    def get_readonly_fields(self, request, obj=None):
        """Addresses have the slug, so it never changes."""
        return ("slug",) if obj else ()

    def get_prepopulated_fields(self, request, obj=None):
        return {} if obj else {"slug": ("name",)}

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        kwargs |= {"form_class": ParentField, "queryset": Category.objects.in_tree_order()}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request, category, form, change):
        if not change:
            category.save()
        elif form.changed_data:
            category.update_fields(
                **{field: form.cleaned_data[field] for field in form.changed_data}
            )

    def delete_queryset(self, request, categories):
        for category in categories:
            category.delete()

    def get_deleted_objects(self, categories, request):
        """Say how many products each is taken off, where Django would list a row for each."""
        rows = Category.objects.filter(pk__in=[category.pk for category in categories])
        deleted = [
            f"{category}: taken off {count:,} product{pluralize(count)}, which stay"
            for category in rows.annotate(count=Count("products"))
            for count in [category.count]
        ]
        may_delete = self.has_delete_permission(request)
        perms_needed = set() if may_delete else {self.opts.verbose_name}
        below = Category.objects.filter(parent__in=rows).select_related("parent")
        protected = [f"{category.parent}: {category} is below it" for category in below]
        return deleted, {self.opts.verbose_name_plural: len(deleted)}, perms_needed, protected
