#!/usr/bin/env python3
"""Writes the Markdown of the API from what buf has read of the .proto files.

    buf build -o -#format=json | python3 proto/document.py > proto/API.md

`./dev format` does that, and `./dev lint` fails if the file is not what this writes.
"""

import json
import re
import sys

PACKAGE = "migration.v1"
SERVICE, METHOD, MESSAGE, FIELD, NESTED, ENUM, NESTED_ENUM, VALUE = (
    6, 2, 4, 2, 3, 5, 4, 2)  # the field numbers of descriptor.proto


def main():
    files = [f for f in json.load(sys.stdin)["file"] if f.get("package") == PACKAGE]
    files.sort(key=lambda f: (not f.get("service"), f["name"]))
    document = Document(files)
    sys.stdout.write("\n".join(document.lines()) + "\n")


class Document:
    def __init__(self, files):
        self.files = files
        self.reasons = {
            value["name"][len("ERROR_REASON_"):]
            for f in files for enum in f.get("enumType", ()) if enum["name"] == "ErrorReason"
            for value in enum["value"]}

    def lines(self):
        yield "# The API: " + PACKAGE
        yield ""
        yield ("<!-- Made by proto/document.py from the comments of the .proto files: ./dev format "
               "writes it anew. -->")
        for f in self.files:
            if f.get("service"):
                yield from self.text(Comments(f).of_file())
        yield from self.contents()
        for f in self.files:
            comments = Comments(f)
            for i, service in enumerate(f.get("service", ())):
                yield from self.service(service, comments, (SERVICE, i))
        for f in self.files:
            comments = Comments(f)
            yield from ("", f"## {f['name']}")
            if not f.get("service"):
                yield from self.text(comments.of_file())
            for i, message in enumerate(f.get("messageType", ())):
                yield from self.message(message, message["name"], comments, (MESSAGE, i))
            for i, enum in enumerate(f.get("enumType", ())):
                yield from self.enum(enum, enum["name"], comments, (ENUM, i))

    def contents(self):
        yield from ("", "| RPC | |", "|---|---|")
        for f in self.files:
            comments = Comments(f)
            for i, service in enumerate(f.get("service", ())):
                for j, method in enumerate(service["method"]):
                    first = first_sentence(comments.of((SERVICE, i, METHOD, j)))
                    yield f"| [{method['name']}](#{method['name'].lower()}) | {cell(first)} |"

    def service(self, service, comments, path):
        yield from ("", f"## {service['name']}")
        yield from self.text(comments.of(path))
        for i, method in enumerate(service["method"]):
            yield from ("", f"### {method['name']}", "")
            streams = "a stream of " if method.get("serverStreaming") else ""
            yield f"{self.type(method['inputType'])} → {streams}{self.type(method['outputType'])}"
            yield from self.text(comments.of((*path, METHOD, i)))

    def message(self, message, name, comments, path):
        yield from ("", heading(name))
        yield from self.text(comments.of(path))
        nested = {f".{PACKAGE}.{name}.{n['name']}": n for n in message.get("nestedType", ())}
        if message.get("field"):
            yield from ("", "| | field | type | |", "|---|---|---|---|")
        for i, field in enumerate(message.get("field", ())):
            text = comments.of((*path, FIELD, i))
            if "oneofIndex" in field and not field.get("proto3Optional"):
                text = f"*One of `{message['oneofDecl'][field['oneofIndex']]['name']}`.* {text}"
            yield (f"| {field['number']} | `{field['name']}` | {self.field_type(field, nested)} "
                   f"| {self.link(cell(text))} |")
        for i, inner in enumerate(message.get("nestedType", ())):
            if not inner.get("options", {}).get("mapEntry"):
                yield from self.message(inner, f"{name}.{inner['name']}", comments,
                                        (*path, NESTED, i))
        for i, enum in enumerate(message.get("enumType", ())):
            yield from self.enum(enum, f"{name}.{enum['name']}", comments, (*path, NESTED_ENUM, i))

    def enum(self, enum, name, comments, path):
        yield from ("", heading(name))
        yield from self.text(comments.of(path))
        yield from ("", "| | value | |", "|---|---|---|")
        for i, value in enumerate(enum["value"]):
            mark = ""
            if name == "ErrorReason":
                mark = f'<a id="{value["name"][len("ERROR_REASON_"):].lower()}"></a>'
            text = cell(comments.of((*path, VALUE, i)))
            yield f"| {value.get('number', 0)} | {mark}`{value['name']}` | {text} |"

    def field_type(self, field, nested):
        entry = nested.get(field.get("typeName"))
        if entry and entry.get("options", {}).get("mapEntry"):
            key, value = entry["field"]
            return f"map of {self.scalar(key)} to {self.scalar(value)}"
        repeated = "repeated " if field.get("label") == "LABEL_REPEATED" else ""
        optional = "optional " if field.get("proto3Optional") else ""
        return repeated + optional + self.scalar(field)

    def scalar(self, field):
        if "typeName" in field:
            return self.type(field["typeName"])
        return field["type"][len("TYPE_"):].lower()

    @staticmethod
    def type(name):
        own = f".{PACKAGE}."
        if not name.startswith(own):
            return name.lstrip(".")
        name = name[len(own):]
        return f"[{name}](#{type_anchor(name)})"

    def text(self, comment):
        """The paragraphs of a comment, between blank lines."""
        for line in ("\n" + comment).split("\n") if comment else ():
            yield self.link(line)

    def link(self, text):
        """Makes links of the reasons of errors."""
        def to_link(match):
            word = match.group(0)
            return f"[{word}](#{word.lower()})" if word in self.reasons else word
        return re.sub(r"(?<![`\w])[A-Z][A-Z_]+[A-Z](?![`\w])", to_link, text)


class Comments:
    """The comments of a file, by the path of what they stand before."""

    def __init__(self, file):
        self.by_path = {tuple(location.get("path", ())): location.get("leadingComments", "")
                        for location in file["sourceCodeInfo"]["location"]}

    def of(self, path):
        return self.unindent(self.by_path.get(tuple(path), ""))

    def of_file(self):
        return self.of((12,))  # what stands before `syntax`

    @staticmethod
    def unindent(comment):
        return "\n".join(line[1:] if line.startswith(" ") else line
                         for line in comment.rstrip("\n").split("\n"))


def heading(type_name):
    return f'### {type_name} <a id="{type_anchor(type_name)}"></a>'


def type_anchor(name):
    """A type may have the name of an RPC, to which the heading's own anchor belongs."""
    return "type-" + name.lower().replace(".", "-")


def cell(text):
    return " ".join(text.split()).replace("|", "\\|")


def first_sentence(text):
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]


if __name__ == "__main__":
    main()
