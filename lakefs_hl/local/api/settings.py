"""Settings of a repository: branch protection and garbage collection rules, in their new and old spelling."""

from __future__ import annotations

from typing import Final

from lakefs_hl.local.api import checks
from lakefs_hl.local.api.answers import JSON, Handler, done, ok
from lakefs_hl.local.api.effects import effect
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import administration, models
from lakefs_hl.spec.errors import BadRequestException
from lakefs_hl.spec.wire import Request, Response


def get_protection(engine: Engine, request: Request, who: str) -> Response:
    """The protected patterns, with the ETag to change them safely."""
    rules, etag = engine.settings.protection(request.params[0])
    return Response(200, {**JSON, "etag": etag}, models.encode(rules), reason="OK")


@effect(done)
def set_protection(engine: Engine, request: Request, who: str) -> None:
    """Replaces the protected patterns."""
    rules = checks.body(list[models.BranchProtectionRule], request)
    for rule in rules:
        _pattern(rule)
    wanted = request.headers.get("if-match")
    if wanted == "":
        raise BadRequestException('parameter "If-Match" in header has an error: empty value is not allowed')
    engine.settings.set_protection(request.params[0], rules, wanted)


@effect(done)
def add_protection(engine: Engine, request: Request, who: str) -> None:
    """Adds one pattern; adding it twice does no harm."""
    rule = checks.body(models.BranchProtectionRule, request)
    _pattern(rule)
    engine.settings.add_protection(request.params[0], rule)


@effect(done)
def delete_protection(engine: Engine, request: Request, who: str) -> None:
    """Removes one pattern."""
    rule = checks.body(models.BranchProtectionRule, request)
    engine.settings.remove_protection(request.params[0], rule)


def _pattern(rule: models.BranchProtectionRule) -> None:
    if not rule.pattern:
        raise checks.field("pattern", "minimum string length is 1")


def allowed(engine: Engine, request: Request, who: str) -> Response:
    """Says that the rules may be set."""
    engine.repositories.get(request.params[0])
    return done()


def get_gc_rules(engine: Engine, request: Request, who: str) -> Response:
    """The rules."""
    return ok(engine.settings.gc_rules(request.params[0]))


@effect(done)
def set_gc_rules(engine: Engine, request: Request, who: str) -> None:
    """Replaces the rules."""
    engine.settings.set_gc_rules(request.params[0], checks.body(models.GCRules, request))


@effect(done)
def delete_gc_rules(engine: Engine, request: Request, who: str) -> None:
    """Drops the rules."""
    engine.settings.delete_gc_rules(request.params[0])


HANDLERS: Final[dict[str, Handler]] = {
    administration.GET_BRANCH_PROTECTION_RULES.operation: get_protection,
    administration.SET_BRANCH_PROTECTION_RULES.operation: set_protection,
    administration.INTERNAL_GET_BRANCH_PROTECTION_RULES.operation: get_protection,
    administration.INTERNAL_CREATE_BRANCH_PROTECTION_RULE.operation: add_protection,
    administration.INTERNAL_DELETE_BRANCH_PROTECTION_RULE.operation: delete_protection,
    administration.CREATE_BRANCH_PROTECTION_RULE_PREFLIGHT.operation: allowed,
    administration.GET_GC_RULES.operation: get_gc_rules,
    administration.SET_GC_RULES.operation: set_gc_rules,
    administration.DELETE_GC_RULES.operation: delete_gc_rules,
    administration.INTERNAL_GET_GARBAGE_COLLECTION_RULES.operation: get_gc_rules,
    administration.INTERNAL_SET_GARBAGE_COLLECTION_RULES.operation: set_gc_rules,
    administration.INTERNAL_DELETE_GARBAGE_COLLECTION_RULES.operation: delete_gc_rules,
    administration.SET_GARBAGE_COLLECTION_RULES_PREFLIGHT.operation: allowed,
}
