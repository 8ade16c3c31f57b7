"""What Bedrock's Converse API refuses, as a pure function over a request's JSON body.

The rules are those of botocore's service model ``bedrock-runtime`` and of the models
behind the service. Where models differ the strictest one counts, unless `model_id`
says which is meant. Imports the standard library only.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import re
import struct
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
TOOL_USE_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
MEMBERS = {
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "guardrailConfig",
    "additionalModelRequestFields",
    "promptVariables",
    "additionalModelResponseFieldPaths",
    "requestMetadata",
    "performanceConfig",
    "serviceTier",
    "outputConfig",
}
BLOCKS = {
    "user": {"text", "image", "document", "video", "audio", "toolResult", "guardContent"}
    | {"cachePoint", "searchResult"},
    "assistant": {"text", "toolUse", "reasoningContent", "cachePoint", "citationsContent"},
}
FORMATS = {
    "image": {"png", "jpeg", "gif", "webp"},
    "document": {"pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"},
    "video": {"mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"},
    "audio": {"mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac"}
    | {"m4a", "mpeg", "mpga", "pcm", "webm"},
}
DOCUMENT_NAME = re.compile(r"[a-zA-Z0-9()\[\]-]+( [a-zA-Z0-9()\[\]-]+)*")
RESULT_PARTS = {"json", "text", "image", "document", "video", "searchResult"}
MEGABYTE = 1024 * 1024
# What an application inference profile stands for is not in its name.
CACHING = r"anthropic\.claude|amazon\.nova|application-inference-profile"


def violations(request: Mapping[str, Any], model_id: str = "") -> list[str]:
    """Every rule that the body breaks, one sentence each; empty for a good request.

    Args:
        request: the JSON body as it is on the wire (bytes in base64).
        model_id: Llama and Mistral refuse a toolResult beside other content.
    """
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        return ["messages: at least one message is needed."]
    found = [f"{name}: unknown member." for name in request if name not in MEMBERS]
    found += _encoding(request)
    found += _roles(messages)
    for index, message in enumerate(messages):
        found += [f"messages.{index}.{text}" for text in _message(message, model_id)]
    found += _pairs(messages)
    found += _system(request.get("system", []))
    found += _tools(request.get("toolConfig"), messages)
    found += _limits(request, messages, model_id)
    return found


def _encoding(request: Mapping[str, Any]) -> Iterator[str]:
    try:
        json.dumps(request, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        yield "The body holds half a surrogate pair, which is not UTF-8."
    except ValueError:
        yield "The body holds NaN or an infinity, which JSON does not know."


def _roles(messages: list[Any]) -> Iterator[str]:
    roles = [message.get("role") for message in messages]
    if roles[0] != "user":
        yield "messages: a conversation must start with a user message."
    if roles[-1] != "user":
        yield "messages: the last message must be a user message."
    for index, (before, role) in enumerate(itertools.pairwise(roles), 1):
        if before == role:
            yield f"messages.{index}: roles must alternate, this is the second {role} in a row."


def _message(message: Mapping[str, Any], model_id: str) -> Iterator[str]:
    role, content = message.get("role"), message.get("content")
    if role not in BLOCKS:
        yield f"role: {role!r} is neither user nor assistant."
        return
    if not isinstance(content, list) or not content:
        yield "content: must not be empty."
        return
    for index, block in enumerate(content):
        yield from (f"content.{index}: {text}" for text in _block(block, role))
    kinds = [next(iter(block), "") for block in content]
    if "document" in kinds and "text" not in kinds:
        yield "content: a document needs a text block beside it."
    if "toolUse" in kinds and "reasoningContent" in kinds[kinds.index("toolUse") :]:
        yield "content: reasoningContent must stand in front of toolUse."
    if "toolResult" in kinds and set(kinds) != {"toolResult"} and _keeps_results_apart(model_id):
        yield "content: a toolResult may not share a user turn with other content."
    for index, (before, kind) in enumerate(itertools.pairwise(kinds), 1):
        if kind == "cachePoint" and before in ("reasoningContent", "document", "cachePoint"):
            yield f"content.{index}: a cachePoint may not follow {before}."
    if kinds[0] == "cachePoint":
        yield "content.0: a cachePoint needs something in front of it."


def _keeps_results_apart(model_id: str) -> bool:
    return not model_id or "llama" in model_id or "mistral" in model_id


def _block(block: Any, role: str) -> Iterator[str]:
    if not isinstance(block, dict) or len(block) != 1:
        yield "a block has exactly one member."
        return
    (kind, value) = next(iter(block.items()))
    if kind not in BLOCKS[role]:
        yield f"{kind} is not allowed in a message of the {role}."
    elif kind == "text":
        yield from _text(value)
    elif kind == "toolUse":
        yield from _tool_use(value)
    elif kind == "toolResult":
        yield from _tool_result(value)
    elif kind == "reasoningContent":
        yield from _reasoning(value)
    elif kind in FORMATS:
        yield from _attachment(kind, value)
    elif kind in ("guardContent", "searchResult", "citationsContent"):
        yield from _texts(kind, value)


def _text(value: Any) -> Iterator[str]:
    if not isinstance(value, str):
        yield "text must be a string."
    elif _is_blank(value):
        yield "text must not be blank."


def _is_blank(value: str) -> bool:
    """Nothing to see: white space, and by the strictest reading what has no width."""
    return all(c.isspace() or unicodedata.category(c) in ("Cc", "Cf") for c in value)


def _tool_use(use: Any) -> Iterator[str]:
    if not isinstance(use, dict) or set(use) - {"toolUseId", "name", "input", "type"}:
        yield "toolUse has toolUseId, name and input."
        return
    yield from _matches("toolUse.name", use.get("name"), NAME)
    yield from _matches("toolUse.toolUseId", use.get("toolUseId"), TOOL_USE_ID)
    if not isinstance(use.get("input"), dict):
        yield "toolUse.input must be an object."


def _tool_result(result: Any) -> Iterator[str]:
    if not isinstance(result, dict) or set(result) - {"toolUseId", "content", "status", "type"}:
        yield "toolResult has toolUseId, content and status."
        return
    yield from _matches("toolResult.toolUseId", result.get("toolUseId"), TOOL_USE_ID)
    if result.get("status", "success") not in ("success", "error"):
        yield "toolResult.status is success or error."
    content = result.get("content")
    if not isinstance(content, list):
        yield "toolResult.content must be a list."
        return
    if not content and result.get("status") == "error":
        yield "toolResult.content must not be empty where the status is error."
    for part in content:
        yield from _result_part(part)


def _result_part(part: Any) -> Iterator[str]:
    if not isinstance(part, dict) or len(part) != 1 or next(iter(part)) not in RESULT_PARTS:
        yield "a part of toolResult.content is one of json, text, image, document, video."
    elif "json" in part and not isinstance(part["json"], dict):
        yield "toolResult.content.json must be an object."
    elif "text" in part:
        yield from (f"toolResult.content.{text}" for text in _text(part["text"]))
    elif "json" not in part:
        ((kind, value),) = part.items()
        yield from _attachment(kind, value) if kind in FORMATS else _texts(kind, value)


def _reasoning(value: Any) -> Iterator[str]:
    if not isinstance(value, dict) or set(value) not in ({"reasoningText"}, {"redactedContent"}):
        yield "reasoningContent holds either reasoningText or redactedContent."
        return
    text = value.get("reasoningText")
    if text is not None and not (isinstance(text, dict) and isinstance(text.get("text"), str)):
        yield "reasoningContent.reasoningText needs a text."


def _attachment(kind: str, value: Any) -> Iterator[str]:
    source = value.get("source") if isinstance(value, dict) else None
    if not isinstance(source, dict) or len(source) != 1:
        yield f"{kind} needs a source."
        return
    for member in set(value) - {"format", "source", "name", "context", "citations"}:
        yield f"{kind}.{member}: unknown member."
    if value.get("format") not in FORMATS[kind] and not (
        kind == "document" and "format" not in value
    ):
        yield f"{kind}.format: {value.get('format')!r} is unknown."
    name = value.get("name", "")
    if kind == "document" and not (DOCUMENT_NAME.fullmatch(name) and len(name) <= 200):
        yield "document needs a name of letters, digits, brackets, hyphens and single spaces."
    if "bytes" in source and not source["bytes"]:
        yield f"{kind}.source.bytes is empty."
    data = _decoded(source.get("bytes"))
    limit = {"image": 3.75, "document": 4.5}.get(kind, 25)
    if data is None and "bytes" in source:
        yield f"{kind}.source.bytes is not base64."
    elif data is not None and len(data) > limit * MEGABYTE:
        yield f"{kind} is larger than {limit} MB."
    if kind == "image" and _png_side(data or b"") > 8000:
        yield "image is larger than 8000 pixels a side."


def _texts(kind: str, value: Any) -> Iterator[str]:
    """The texts that a guardContent, searchResult or citationsContent must hold."""
    content = value.get("text" if kind == "guardContent" else "content")
    blocks = [content] if kind == "guardContent" else content
    if not isinstance(blocks, list) or not blocks:
        yield f"{kind} needs texts."
        return
    for block in blocks:
        yield from (f"{kind}: {text}" for text in _text((block or {}).get("text")))
    for member in ("source", "title") if kind == "searchResult" else ():
        yield from (f"{kind}.{member}: {text}" for text in _text(value.get(member)))


def _decoded(data: Any) -> bytes | None:
    try:
        return base64.b64decode(data, validate=True) if isinstance(data, str) else None
    except binascii.Error:
        return None


def _png_side(data: bytes) -> int:
    """The longer side in pixels; 0 for what is no PNG."""
    is_png = data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24
    return max(struct.unpack("!II", data[16:24])) if is_png else 0


def _matches(what: str, value: Any, pattern: re.Pattern[str]) -> Iterator[str]:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        yield f"{what}: {str(value)[:80]!r} does not match {pattern.pattern}."


def _pairs(messages: list[Any]) -> Iterator[str]:
    """Every toolUse answered by exactly one toolResult in the next message, and no others."""
    calls: list[str] = []
    seen: set[str] = set()
    for index, message in enumerate(messages):
        results = [result.get("toolUseId") for result in _members(message, "toolResult")]
        for use_id, count in Counter(results).items():
            if use_id not in calls:
                yield f"messages.{index}: toolResult {use_id!r} answers no toolUse before it."
            elif count > 1:
                yield f"messages.{index}: toolUse {use_id!r} is answered {count} times."
        for use_id in calls:
            if use_id not in results:
                yield f"messages.{index}: toolUse {use_id!r} has no toolResult."
        calls = [use.get("toolUseId") for use in _members(message, "toolUse")]
        if len(set(calls)) < len(calls):
            yield f"messages.{index}: the toolUse blocks contain duplicate Ids."
        elif seen & set(calls):
            yield f"messages.{index}: tool_use ids must be unique in the conversation."
        seen |= set(calls)
    if calls:
        yield "messages: the last toolUse blocks have no toolResult."


def _members(message: Any, kind: str) -> list[dict[str, Any]]:
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    return [b[kind] for b in blocks if isinstance(b, dict) and isinstance(b.get(kind), dict)]


def _system(system: Any) -> Iterator[str]:
    for index, block in enumerate(system):
        if set(block) not in ({"text"}, {"cachePoint"}, {"guardContent"}):
            yield f"system.{index}: a block is text, cachePoint or guardContent."
        elif "text" in block:
            yield from (f"system.{index}.{text}" for text in _text(block["text"]))


def _tools(config: Any, messages: list[Any]) -> Iterator[str]:
    if config is None:
        if any(_members(m, "toolUse") or _members(m, "toolResult") for m in messages):
            yield "toolConfig must be defined when the messages hold toolUse or toolResult."
        return
    tools = config.get("tools")
    if not tools:
        yield "toolConfig.tools: at least one tool is needed."
        return
    specs = [tool["toolSpec"] for tool in tools if "toolSpec" in tool]
    names = [spec.get("name") for spec in specs]
    for name, count in Counter(names).items():
        yield from _matches("toolSpec.name", name, NAME)
        if count > 1:
            yield f"toolConfig.tools: the name {name!r} is there {count} times."
    for spec in specs:
        if "description" in spec and not spec["description"]:
            yield f"toolSpec {spec.get('name')!r}: the description must not be empty."
        schema = spec.get("inputSchema", {}).get("json")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            yield f"toolSpec {spec.get('name')!r}: inputSchema.json must be of type object."
    yield from _tool_choice(config.get("toolChoice"), names)


def _tool_choice(choice: Any, names: list[Any]) -> Iterator[str]:
    if choice is None:
        return
    if not isinstance(choice, dict) or set(choice) not in ({"auto"}, {"any"}, {"tool"}):
        yield "toolChoice is one of auto, any and tool."
    elif "tool" in choice and choice["tool"].get("name") not in names:
        yield "toolChoice names a tool that is not there."


def _limits(request: Mapping[str, Any], messages: list[Any], model_id: str) -> Iterator[str]:
    yield from _inference(request.get("inferenceConfig", {}))
    metadata = request.get("requestMetadata")
    if metadata is not None:
        if not 1 <= len(metadata) <= 16:
            yield "requestMetadata has 1 to 16 pairs."
        if any(not key or len(key) > 256 or len(value) > 256 for key, value in metadata.items()):
            yield "requestMetadata: keys and values have up to 256 characters."
    yield from _thinking(request, model_id)
    tools = (request.get("toolConfig") or {}).get("tools") or []
    blocks = [*request.get("system", []), *tools]
    for message in messages:
        blocks += message["content"] if isinstance(message.get("content"), list) else []
        blocks += [p for r in _members(message, "toolResult") for p in r.get("content") or []]
    blocks = [block for block in blocks if isinstance(block, dict)]
    points = [block["cachePoint"] for block in blocks if "cachePoint" in block]
    if len(points) > 4:
        yield "At most 4 cachePoints are allowed in a request."
    if any(point.get("type") != "default" for point in points):
        yield "cachePoint.type is default."
    if points and model_id and not re.search(CACHING, model_id):
        yield "The model has no prompt caching, so that no cachePoint is allowed."
    if "nova" in model_id and any("cachePoint" in tool for tool in tools):
        yield "Nova does not cache tools, so that no cachePoint is allowed there."
    if sum("image" in block for block in blocks) > 20:
        yield "At most 20 images are allowed in a request."
    documents = [block["document"] for block in blocks if "document" in block]
    if len(documents) > 5:
        yield "At most 5 documents are allowed in a request."
    names = [str(d.get("name")).lower() for d in documents if isinstance(d, dict)]
    if len(set(names)) < len(names):
        yield "The names of documents must be unique in the conversation."


def _thinking(request: Mapping[str, Any], model_id: str) -> Iterator[str]:
    """What goes with thinking, and how which Claude or Nova is told to think."""
    fields = request.get("additionalModelRequestFields") or {}
    thinking, nova = fields.get("thinking") or {}, fields.get("reasoningConfig") or {}
    choice = (request.get("toolConfig") or {}).get("toolChoice") or {}
    inference = request.get("inferenceConfig") or {}
    kind = thinking.get("type", "disabled")
    if kind != "disabled":
        if not set(choice) <= {"auto"}:
            yield "A forced toolChoice does not go with extended thinking."
        if inference.get("temperature", 1) != 1 or inference.get("topP", 1) < 0.95:
            yield "temperature and topP do not go with extended thinking."
        if (kind == "adaptive") is bool(
            re.search(r"claude-(3-7|(opus|sonnet|haiku)-4-[1-5])", model_id)
        ):
            yield f"thinking.type {kind} is not supported by this model."
    if kind == "enabled":
        budget = thinking.get("budget_tokens", 0)
        if budget < 1024:
            yield "thinking.budget_tokens is at least 1024."
        if budget >= inference.get("maxTokens", budget + 1):
            yield "maxTokens must be greater than thinking.budget_tokens."
    if nova.get("maxReasoningEffort") == "high" and set(inference) - {"stopSequences"}:
        yield "maxTokens, temperature and topP must be unset with high reasoning effort."


def _inference(config: Mapping[str, Any]) -> Iterator[str]:
    for name in set(config) - {"maxTokens", "temperature", "topP", "stopSequences"}:
        yield f"inferenceConfig.{name}: unknown member."
    if config.get("maxTokens", 1) < 1:
        yield "inferenceConfig.maxTokens is at least 1."
    for name in ("temperature", "topP"):
        if not 0 <= config.get(name, 0) <= 1:
            yield f"inferenceConfig.{name} is between 0 and 1."
