"""What the OpenAPI schema says of every operation: the answers that any of them may give.

A view declares what it gives when all goes well, and what it refuses for reasons of its own. The
rest comes from around the view, in the one shape of recsite.errors, and is added here.
"""

from recsite.errors import CONTENT_TYPE

REFUSALS = {
    "400": "The request cannot be read, or names or holds what is not allowed.",
    "401": "No token, or one that has ended.",
    "403": "Not allowed: for another kind of account or key, or without consent.",
    "404": "It is not there, or not yours: the answer is the same.",
    "406": "Only JSON is given.",
    "409": "In conflict with what is there.",
    "413": "Larger than is taken.",
    "415": "Only what is named under “Request body” is read.",
    "429": "Too many requests: try again after so many seconds as Retry-After says.",
    "503": "Not available now: try again after so many seconds as Retry-After says.",
}
PROBLEM = {
    "type": "object",
    "description": "An error of any kind (RFC 9457).",
    "properties": {
        "type": {
            "type": "string",
            "description": "`urn:medley:` and a stable code, for programs",
        },
        "title": {"type": "string", "description": "the status in words"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what is wrong, for people"},
        "errors": {
            "type": "array",
            "description": "field by field, where fields are at fault",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string", "description": "empty: the whole request"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
                "required": ["field", "code", "detail"],
            },
        },
    },
    "required": ["type", "title", "status", "detail"],
}
ANSWER = {"content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def add_refusals(result: dict, generator, request, public) -> dict:
    """A hook of drf-spectacular: each operation lists the errors that it may answer with."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    components["responses"] = {
        f"Problem{status}": {"description": text, **ANSWER} for status, text in REFUSALS.items()
    }
    for path, operations in result["paths"].items():
        for operation in operations.values():
            answers = operation["responses"]
            for status in refusals_of(path, operation):
                answers.setdefault(status, {"$ref": f"#/components/responses/Problem{status}"})
            operation["responses"] = dict(sorted(answers.items()))
    return result


def refusals_of(path: str, operation: dict) -> list[str]:
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    has_body = "requestBody" in operation
    found = ["400", "406", "429", "503"]
    if has_body or {} not in operation.get("security", [{}]):
        found += ["401", "403"]  # also of what a body says, as in signing in
    if "{" in path or names & {"cursor", "person"} or has_body:
        found += ["404"]
    if has_body:
        found += ["409", "413", "415"]
    return found
