# SPDX-License-Identifier: Apache-2.0
"""Cases of whole_process.py whose outcome is more than a list of records: versions, facts, entities,
actions, models, files that are written. The picture of a store is what its export says, line by line,
under names instead of ids; what a case changes in it is written down with the case."""
import json

from whole_case import BASE, MODEL, NOTFOUND, TINY, Failure, StoreCase, tail


def picture_of(lines):
    """Of an export: what there is by name. Entities come before the facts about them."""
    names, picture = {}, {}
    for line in lines:
        kind = line.get("type", "record")
        if kind == "record":
            key = ("record", line["key"])
            value = (line["text"], tuple(line.get("tags", ())), line.get("version", 1))
        elif kind == "version":
            key, value = ("version", line["key"], line["version"]), line["text"]
        elif kind == "entity":
            names[line["id"]] = line["name"]
            key, value = ("entity", line["name"]), tuple(line.get("aliases", ()))
        else:
            what = names[line["object"]] if "object" in line else line["value"]
            key = ("fact", names[line["subject"]], line["relation"], what)
            value = (line.get("reason", "") if "retracted" in line else None,
                     tuple(e["record"] for e in line.get("evidence", ())))
        if key in picture:
            raise Failure(f"{key} is there twice")
        picture[key] = value
    return picture


def with_changes(picture, changes):
    return {k: v for k, v in (picture | changes).items() if v is not None}


def lines_of(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def see_actions(tools, case, folder, records):
    done = tools.must(["feedback", "--list", "-f", case.store, "-o", "ndjson"], folder)
    keys = {r["id"]: r["key"] for r in records if "type" not in r}
    found = {}
    for action in lines_of(done):
        key = ("action", action["kind"], keys[action["id"]])
        found[key] = found.get(key, 0) + 1
    return found


def see_model(tools, case, folder, _records):
    done = tools.must(["model", "list", "-f", case.store, "-o", "json"], folder)
    listed = json.loads(done.stdout)
    names = {space["fingerprint"]: space["name"] for space in listed["spaces"]}
    return {("model", n["ns"]): names[n["current"]] for n in listed["namespaces"]}


def see_probability(tools, case, folder, _records):
    done = tools.must(["search", "the boat", "-f", case.store, "-k", "1", "-o", "ndjson", "--no-log",
                       *MODEL], folder)
    return {("calibrated",): lines_of(done)[0]["probability"] is not None}


class VerbCase(StoreCase):
    """`before` are command lines that make the store what it is before, with `start` in its picture
    beside the base; `end` is what the case's own changes (None: it is gone)."""
    tells = True       # what it prints, it prints after the commit
    before = ()
    start = end = {}
    again_ends = ()    # what the end may be besides when the same was done twice
    also = staticmethod(lambda *_: {})

    def prepare(self, tools, folder):
        super().prepare(tools, folder)
        for words in self.before:
            tools.must([*words, "-f", self.store], folder)
        if "{fact}" in self.words:
            found = lines_of(tools.must(["fact", "query", "-f", self.store, "-o", "ndjson"], folder))
            self.words = [found[0]["id"] if word == "{fact}" else word for word in self.words]
        base = {("record", r["key"]): (r["text"], tuple(r["tags"]), 1) for r in BASE}
        first = with_changes(base, self.start)
        self.states = [first, with_changes(first, self.end)]
        self.again_states = [with_changes(first, self.end | other) for other in self.again_ends]

    def look(self, tools, folder):
        done = tools.run(["export", "-", "--versions", "-f", self.store], folder)
        if done.returncode:
            return None, done
        records = lines_of(done)
        return picture_of(records) | self.also(tools, self, folder, records), done

    @staticmethod
    def n_records(state):
        return sum(key[0] == "record" for key in state)


class ShredCase(VerbCase):
    """What was acknowledged as shredded is in no byte of the store's files; so it is in the end."""
    again_exits = (0, NOTFOUND)
    finish = ["forget", "--shred", "-f", "s.memo", "-o", "quiet"]

    def check_end(self, _tools, folder):
        for path in folder.glob(f"{self.store}*"):
            if b"boat 3 is" in path.read_bytes():
                raise Failure(f"{path.name} holds what was shredded")


class ExportCase(VerbCase):
    """A file that is old or new, whole."""
    cancels = True

    def prepare(self, tools, folder):
        super().prepare(tools, folder)
        if "--force" in self.words:
            (folder / self.out).write_bytes(b"an older file\n")
            self.old = b"an older file\n"

    def read_out(self, _tools, folder):
        path = folder / self.out
        return path.read_bytes() if path.exists() else None


class ExportedCase(VerbCase):
    """Import of an export. An interrupted one may leave what whole groups of its lines say."""
    cancels = True
    tells = False

    def prepare(self, tools, folder):
        for words in (["add", "the saw hangs in the house", "--key", "k1", *MODEL],
                      ["edit", "k1", "--text", "the saw hangs beside the ladder", *MODEL],
                      ["add", "Anna may drink tea", "--key", "k2", *MODEL],
                      ["fact", "add", "Anna", "likes", "tea", "--evidence", "k2"],
                      ["export", "in.ndjson", "--versions"]):
            if not folder.exists():
                folder.mkdir()
                (folder / "model.st").hardlink_to(tools.model)
            tools.must([*words, "-f", "other.memo"], folder)
        for path in folder.glob("other.memo*"):
            path.unlink()
        super().prepare(tools, folder)
        lines = [json.loads(line) for line in (folder / "in.ndjson").read_text().splitlines()]
        first, last = self.states
        self.states = [first, *(first | picture_of(lines[:n]) for n in range(1, len(lines) + 1))]
        if self.states[-1] != last:
            raise Failure(f"the export holds {picture_of(lines)}")


class OtherModelCase(VerbCase):
    def prepare(self, tools, folder):
        other = tools.folder / "other.st"
        if not other.exists():
            tools.must(["model", "compile", str(TINY), "-o", str(other), "--name", "other",
                        "--class", "int8"], tools.folder)
        folder.mkdir()
        (folder / "other.st").hardlink_to(other)
        super().prepare(tools, folder)


class CalibrateCase(VerbCase):
    def prepare(self, tools, folder):
        pairs = []
        for i in range(30):
            note = f"note {i} of the garden"
            pairs += [{"a": note, "b": note, "match": True},
                      {"a": note, "b": f"zzz qqq {i * 7919}", "match": False}]
        self.files = {"pairs.ndjson": pairs}
        super().prepare(tools, folder)


EDITED = "the dog may eat the boat"
EDIT = ["edit", "b2", "--text", EDITED, *MODEL]
B2 = BASE[2]["text"]
LIKES = ["fact", "add", "Anna", "likes", "tea", "--evidence", "b1"]
ANNA, TEA, BERT = ("entity", "Anna"), ("entity", "tea"), ("entity", "Bert")
KNOWN = {ANNA: (), TEA: (), ("fact", "Anna", "likes", "tea"): (None, ("b1",))}
WAS_EDITED = {("record", "b2"): (EDITED, ("boat",), 2), ("version", "b2", 1): B2}


def history_cases():
    late = "my cat may sit in the boat"
    return [
        ShredCase("shred", ["forget", "b3", "--shred", "-f", "s.memo", "-o", "quiet"],
                  end={("record", "b3"): None}),
        VerbCase("restore", ["restore", "b2", "--version", "1", "-f", "s.memo", *MODEL],
                 before=[EDIT], start=WAS_EDITED,
                 end={("record", "b2"): (B2, ("boat",), 3), ("version", "b2", 2): EDITED}),
        VerbCase("edit-again", ["edit", "b2", "--text", late, "-f", "s.memo", *MODEL],
                 before=[EDIT], start=WAS_EDITED,
                 end={("record", "b2"): (late, ("boat",), 3), ("version", "b2", 2): EDITED}),
        ExportCase("export", ["export", "x.ndjson", "--versions", "-f", "s.memo", "-o", "quiet"],
                   before=[EDIT, LIKES], start=WAS_EDITED | KNOWN, out="x.ndjson"),
        ExportCase("export-zst", ["export", "x.ndjson.zst", "-f", "s.memo", "-o", "quiet", "--force"],
                   out="x.ndjson.zst"),
        ExportedCase("import-export", ["import", "in.ndjson", "-f", "s.memo", "-o", "json", *MODEL],
                     end={("record", "k1"): ("the saw hangs beside the ladder", (), 2),
                          ("record", "k2"): ("Anna may drink tea", (), 1),
                          ("version", "k1", 1): "the saw hangs in the house",
                          ANNA: (), TEA: (), ("fact", "Anna", "likes", "tea"): (None, ("k2",))}),
    ]


def verb_cases():
    likes, slip = ("fact", "Anna", "likes", "tea"), ["--reason", "a slip", "-f", "s.memo"]
    return history_cases() + [
        VerbCase("fact-add", [*LIKES, "-f", "s.memo"], end=KNOWN),
        VerbCase("fact-replace", ["fact", "replace", "{fact}", "--value", "milk", *slip],
                 before=[LIKES], start=KNOWN, again_exits=(0, 1),
                 end={likes: ("a slip", ("b1",)),
                      ("fact", "Anna", "likes", "milk"): (None, ("b1",))}),
        VerbCase("fact-retract", ["fact", "retract", "{fact}", *slip], before=[LIKES], start=KNOWN,
                 end={likes: ("a slip", ("b1",))}),
        VerbCase("entity-merge", ["entity", "merge", "Anna", "Bert", "-f", "s.memo"],
                 before=[LIKES, ["fact", "add", "Bert", "birthday", "--value", "3 May"]],
                 start=KNOWN | {BERT: (), ("fact", "Bert", "birthday", "3 May"): (None, ())},
                 again_exits=(0, 1),
                 end={BERT: None, ANNA: ("Bert",), ("fact", "Bert", "birthday", "3 May"): None,
                      ("fact", "Anna", "birthday", "3 May"): (None, ())}),
        VerbCase("feedback", ["feedback", "--accept", "b1", "--actor", "anna", "-f", "s.memo"],
                 also=see_actions, end={("action", "accept", "b1"): 1},
                 again_ends=[{("action", "accept", "b1"): 2}]),
        OtherModelCase("model-set", ["model", "set", "other.st", "-f", "s.memo"], also=see_model,
                       start={("model", "default"): "tiny.f32"},
                       end={("model", "default"): "other.int8"}),
        OtherModelCase("model-rollback", ["model", "rollback", "-f", "s.memo"], also=see_model,
                       before=[["model", "set", "other.st"]],
                       start={("model", "default"): "other.int8"},
                       end={("model", "default"): "tiny.f32"},
                       again_ends=[{("model", "default"): "other.int8"}]),
        CalibrateCase("calibrate", ["calibrate", "--pairs", "pairs.ndjson", "-f", "s.memo", *MODEL],
                      also=see_probability, start={("calibrated",): False},
                      end={("calibrated",): True}),
    ]
