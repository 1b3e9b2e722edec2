"""What items belong to: the tree of categories, and who made them."""

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog import queries
from catalog.api import conditional, or_unchanged, page_of, paged, revalidated
from catalog.models import Category, Creator
from catalog.serializers import CategoryOut, Flag, PageQuery, category_out, checked


class CategoriesQuery(PageQuery):
    parent = serializers.CharField(
        required=False, max_length=100, help_text="slug: only what lies right below it"
    )
    is_root = Flag(
        required=False, help_text="true: only what lies below nothing; false: only the others"
    )


class CategoryInTreeOut(CategoryOut):
    """A category, by the language of the request and in all."""

    names = serializers.DictField(
        child=serializers.CharField(), help_text="in each language that it has a name in"
    )
    parent = serializers.CharField(allow_null=True, help_text="slug of what it lies below")


class CategoryDetailOut(CategoryInTreeOut):
    path = CategoryOut(many=True, help_text="what it lies below, from the root on")
    children = CategoryOut(many=True, help_text="what lies right below it")


class CreatorsQuery(PageQuery):
    q = serializers.CharField(required=False, max_length=100, help_text="part of a name")


class CreatorOut(serializers.Serializer):
    id = serializers.UUIDField(help_text="to steer by, or for ?creator= of items")
    name = serializers.CharField()


@conditional
class Categories(APIView):
    @extend_schema(
        operation_id="categories_list",
        parameters=[CategoriesQuery],
        responses=or_unchanged(page_of(CategoryInTreeOut, "CategoryPage")),
        tags=["items"],
    )
    def get(self, request: Request) -> Response:
        """All kinds of items. Each says what it lies below, so that the list is a tree."""
        query = checked(CategoriesQuery, request.query_params)
        rows = queries.categories().select_related("parent")
        if "parent" in query:
            rows = rows.filter(parent__slug=query["parent"])
        if "is_root" in query:
            rows = rows.filter(parent__isnull=query["is_root"])
        return revalidated(paged(request, rows, category_in_tree_out, "slug").data)


@conditional
class CategoryDetail(APIView):
    @extend_schema(responses=or_unchanged(CategoryDetailOut), tags=["items"])
    def get(self, request: Request, slug: str) -> Response:
        """One kind of items, with its way from the root. Its items: `/items/?category=`."""
        found = queries.category_in_tree(slug)
        if found is None:
            raise NotFound(_("There is no such category."))
        *above, category = found
        return revalidated(
            category_in_tree_out(category, above[-1].slug if above else None)
            | {
                "path": [category_out(row.slug, row.names) for row in above],
                "children": [
                    category_out(row.slug, row.names) for row in queries.children_of(category)
                ],
            }
        )


@conditional
class Creators(APIView):
    @extend_schema(
        operation_id="creators_list",
        parameters=[CreatorsQuery],
        responses=or_unchanged(page_of(CreatorOut, "CreatorPage")),
        tags=["items"],
    )
    def get(self, request: Request) -> Response:
        """Who made what is shown, by name."""
        query = checked(CreatorsQuery, request.query_params)
        rows = queries.creators_shown()
        if "q" in query:
            rows = rows.filter(name__icontains=query["q"])
        return revalidated(paged(request, rows, creator_out, "name", "id").data)


def category_in_tree_out(row: Category, parent: str | None = None) -> dict:
    """parent  of a row whose parent was not read"""
    above = row.parent.slug if parent is None and row.parent_id else parent
    return category_out(row.slug, row.names) | {"names": row.names, "parent": above}


def creator_out(row: Creator) -> dict:
    return {"id": str(row.uuid), "name": row.name}
