"""Looks for branches, addresses and divisions that depend on secrets in the machine code of SM4-GCM's kernels for
x86-64: for the paths that valgrind cannot run.

usage: disassembly.py BINARY
Prints a line for each function that it went through; exits with 1 and names the instructions where it finds one.

Each entry function of a kernel is followed along all its ways, and into what it calls, until nothing changes. What a
register or a place on the stack holds is one of:

    OPEN    public, and if it is an address, so is what lies there: constants of the binary, lists of slices
    PUBLIC  public, and if it is an address, what lies there is secret: keys, tables of powers, text, nonces
    SECRET  what was read from such an address, or worked out from that
    a place on the stack, or a function

and what instructions give is the highest of what they take, flags included; so conditional moves and `setcc` are fine,
and a conditional jump on flags that a secret has set is a finding, as is an address made from a secret (a gather's
too), a masked access whose mask is secret, a division of a secret, or a call that cannot be followed.

Taken on trust: the registers that entry functions get (ENTRIES below), that an access at an index stays inside of the
array that it begins in, and that memory outside of the stack never hands a secret back as something public.
"""

import re
import subprocess
import sys

MODULES = ["avx2::aes", "avx2::vaes", "avx2::gfni", "avx512"]
OPEN, PUBLIC, SECRET = 0, 1, 2

# What the arguments in registers are, where they are not PUBLIC (the ABI is the C one, a u128 takes two registers).
ENTRIES = {
    "stream::inner": {},
    "turns::inner": {},
    "encrypt::inner": {},
    "ghash::powers::inner": {"rdi": SECRET, "rsi": SECRET},
    "ghash::absorb::inner": {"rsi": SECRET, "rdx": SECRET, "rcx": OPEN},
    "sbox_word::inner": {"rdi": SECRET},
}
# What ct.rs has to be found, compiled with a path's features, and a word of the finding.
LEAKS = {
    "branch": "branch",
    "address": "address",
    "gather": "address",
    "masked": "mask",
    "stack": "branch",
    "call": "branch",
    "division": "division",
}

WIDE = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"] + [f"r{n}" for n in range(8, 16)]
REGISTER = {name: name for name in WIDE}
for wide in WIDE[:8]:
    REGISTER |= {"e" + wide[1:]: wide, wide[1:]: wide, wide[1:] + "l": wide}
for letter in "abcd":
    REGISTER |= {letter + "l": f"r{letter}x", letter + "h": f"r{letter}x"}
for wide in WIDE[8:]:
    REGISTER |= {wide + end: wide for end in "dwb"}
for number in range(32):
    REGISTER |= {f"{size}mm{number}": f"v{number}" for size in "xyz"}
REGISTER |= {f"k{number}": f"k{number}" for number in range(8)}
ARGUMENTS = ["rdi", "rsi", "rdx", "rcx", "r8", "r9"]

KEEPS_FLAGS = re.compile(r"^(mov|lea|push|pop|not|[sr]h[lr]x|sarx|rorx|mulx|pdep|pext|v|k|cmov|set|nop|xchg|bswap|vz)")
SETS_FLAGS = re.compile(r"^(v?u?comis|v?ptest$|vtestp[sd]$|kortest|ktest)")
READS_FLAGS = re.compile(r"^(cmov|set|adc|sbb|adcx|adox|rcl|rcr)")
SAME_GIVES_A_CONSTANT = re.compile(r"^(xor|sub|vp?xor[dqps]*|vpsub[bwdq]|vpcmpeq[bwdq]|kxor\w|kxnor\w)$")
# flags of before may remain, as none or not all are set
LEAVES_FLAGS = re.compile(r"^(inc|dec|ro[lr]$|(sh|sa)[lr]d?$|adcx|adox)")
# what their first operand held is gone (the others' results are taken to depend on it)
WRITES_ONLY = re.compile(
    r"^(mov|set|lea|[sr]h[lr]x|sarx|rorx|pdep|pext|andn|bzhi|bextr|kmov|kunpck|kxor|kand|kor[bwdq]|knot"
    r"|v(?!pternlog|fn?m|pdp|permt2|permi2|p?insert|pinsr))"
)
LOWEST = re.compile(r"[a-d]l|[sd]il|[sb]pl|r\d+b")
ONE_ADDRESS = re.compile(r"(?:(BYTE|[A-Z]*WORD) PTR |[A-Z]+ BCST )?(?:[fgs]s:)?\[(.*)\]")
SIZES = {"BYTE": 1, "WORD": 2, "DWORD": 4, "QWORD": 8, "XMMWORD": 16, "YMMWORD": 32, "ZMMWORD": 64}
NO_RETURN = re.compile(r"panick|_fail|unwrap_failed|expect_failed|handle_alloc_error|unreachable|_Unwind_Resume")


def join(a, b):
    if a == b:
        return a
    level = max(level_of(a), level_of(b))
    if is_stack(a) and is_stack(b) and a[1] == b[1]:
        return ("stack", a[1], None)
    return max(level, PUBLIC)


def level_of(value):
    return value if isinstance(value, int) else PUBLIC


def is_stack(value):
    return isinstance(value, tuple) and value[0] == "stack"


class Binary:
    """Functions by name and by address, and what the dynamic linker fills in."""

    def __init__(self, path):
        text = subprocess.run(
            ["objdump", "-d", "-C", "--no-show-raw-insn", "-M", "intel", path],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        self.functions, self.names, name = {}, {}, None
        for line in text.splitlines():
            if found := re.match(r"([0-9a-f]+) <(.*)>:$", line):
                # generic functions may share a demangled name
                name = found[2] if found[2] not in self.functions else f"{found[2]}@{found[1]}"
                self.names[int(found[1], 16)], self.functions[name] = name, []
            elif name and (found := re.match(r"\s*([0-9a-f]+):\s+(\S.*)$", line)):
                self.functions[name].append((int(found[1], 16), found[2]))
        self.linked = {}
        table = subprocess.run(["objdump", "-R", "-C", path], check=True, capture_output=True, text=True).stdout
        for where, value in re.findall(r"^([0-9a-f]+) R_\S+\s+(\S.*)$", table, re.M):
            inside = re.match(r"\*ABS\*\+0x([0-9a-f]+)", value)
            self.linked[int(where, 16)] = self.names.get(int(inside[1], 16)) if inside else value.split("@")[0]


class State:
    """What registers, flags and stack hold."""

    def __init__(self, values, stack):
        self.values, self.stack = values, stack

    def copy(self):
        return State(dict(self.values), dict(self.stack))

    def key(self):
        return (frozenset(self.values.items()), frozenset(self.stack.items()))

    def take(self, other):
        """Joins; whether that changed anything. A place that only one has written may hold anything."""
        changed = False
        for mine, others in ((self.values, other.values), (self.stack, other.stack)):
            for place in list(mine):
                if place not in others:
                    del mine[place]
                    changed = True
                elif mine[place] != others[place]:
                    new = joined(mine[place], others[place]) if mine is self.stack else join(mine[place], others[place])
                    changed |= new != mine[place]
                    mine[place] = new
        return changed


def joined(a, b):
    """Of two entries of the stack, which know whether they came from a general register."""
    return (join(a[0], b[0]), a[1] and b[1])


class Analysis:
    def __init__(self, binary):
        self.binary, self.findings, self.memo, self.seen = binary, set(), {}, set()

    def entry(self, name, kinds):
        values = {register: PUBLIC for register in WIDE} | {f"k{n}": SECRET for n in range(8)}
        values |= {f"v{n}": SECRET for n in range(32)} | kinds | {"flags": PUBLIC, "rsp": ("stack", name, 0)}
        # arguments that found no register
        self.function(name, State(values, {(name, at): (PUBLIC, True) for at in range(8, 64, 4)}))

    def function(self, name, state):
        """The state after its return, from the state at its entry; None if it does not return."""
        key = (name, state.key())
        if key in self.memo:
            return self.memo[key]
        self.seen.add(name)
        code = self.binary.functions[name]
        index = {address: at for at, (address, _) in enumerate(code)}
        before, todo, after = {0: state.copy()}, [0], None
        while todo:
            at = todo.pop()
            state = before[at].copy()
            while True:
                address, text = code[at]
                ways, ended = self.step((name, address, text), state)
                if ended:
                    after = state if after is None else (after.take(state), after)[1]
                following = []
                for way, at_way in ways:
                    place = at + 1 if way is None else index.get(way)
                    if place is None or place >= len(code):
                        self.report((name, address, text), "a jump that cannot be followed")
                    else:
                        following.append((place, at_way))
                straight = len(following) == 1 and following[0][0] == at + 1 and not starts(code, at + 1)
                if straight and at + 1 not in before:
                    at, state = following[0]
                    continue
                for place, at_way in following:
                    if place not in before:
                        before[place] = at_way.copy()
                        todo.append(place)
                    elif before[place].take(at_way) and place not in todo:
                        todo.append(place)
                break
        self.memo[key] = after
        return after

    def report(self, where, what):
        name, address, text = where
        self.findings.add((name, f"{address:x}: {' '.join(text.split())}", what))

    def step(self, where, state):
        """The ways on from an instruction: (address or None for the next, state); and whether the function ends."""
        text, _, comment = where[2].partition(" #")
        text = re.sub(r"^(?:(?:data16|cs|notrack|bnd|\{\w+\}) +)+", "", text.strip())
        opcode, _, rest = text.partition(" ")
        operands = [part.strip() for part in re.split(r",(?![^\[]*\])", rest)] if rest.strip() else []
        values = state.values
        if opcode.startswith("j") or opcode == "call":
            return self.transfer(where, opcode, operands, comment, state)
        if opcode == "ret":
            rsp = values["rsp"]
            if is_stack(rsp) and rsp[2] is not None:
                values["rsp"] = ("stack", rsp[1], rsp[2] + 8)
            return [], True
        if opcode in ("ud2", "int3", "hlt"):
            return [], False
        if opcode not in ("nop", "vzeroupper", "endbr64") and (opcode, operands) != ("xchg", ["ax", "ax"]):
            self.instruct(where, opcode, operands, comment, state)
        return [(None, state)], False

    def transfer(self, where, opcode, operands, comment, state):
        values, target = state.values, operands[0]
        direct = re.match(r"([0-9a-f]+) <", target)
        if opcode not in ("jmp", "call"):
            if opcode in ("jrcxz", "jecxz"):
                values["flags"] = values["rcx"]
            if level_of(values["flags"]) == SECRET:
                self.report(where, "a branch on a secret")
            falls = state.copy()
            # the loop that touches each page of a large frame goes on until the stack's end is there
            if opcode == "jne" and "probe" in values and is_stack(values["probe"]):
                falls.values["rsp"] = values["probe"]
            return [(int(direct[1], 16), state), (None, falls)], False
        callee = None
        if direct:
            callee = self.binary.names.get(int(direct[1], 16))
            if opcode == "jmp" and callee in (None, where[0]):
                return [(int(direct[1], 16), state)], False
        elif linked := re.match(r"\s*([0-9a-f]+) <", comment):
            callee = self.binary.linked.get(int(linked[1], 16))
        elif target in REGISTER and isinstance(values[REGISTER[target]], tuple):
            callee = values[REGISTER[target]][1] if values[REGISTER[target]][0] == "function" else None
        result = self.call(where, callee, state)
        if result is None:
            return [], False
        return ([], True) if opcode == "jmp" else ([(None, result)], False)

    def call(self, where, callee, state):
        values = state.values
        if callee is None:
            self.report(where, "a call that cannot be followed")
        elif NO_RETURN.search(callee):
            return None
        elif callee in ("memcpy", "memmove", "memset"):
            for register in ARGUMENTS[:3] if callee != "memset" else ["rdi", "rdx"]:
                if level_of(values[register]) == SECRET:
                    self.report(where, "an address or a length from a secret")
            if is_stack(values["rdi"]):
                value = level_of(values["rsi"]) if callee == "memset" else behind(values["rsi"])
                self.smear(values["rdi"][1], value, state)
        elif callee in self.binary.functions:
            # the address that it returns to
            rsp = values["rsp"]
            inside = state.copy()
            inside.values["rsp"] = ("stack", rsp[1], rsp[2] - 8) if is_stack(rsp) and rsp[2] is not None else rsp
            after = self.function(callee, inside)
            if after is not None:
                after = after.copy()
                after.values["rsp"] = rsp
            return after
        else:
            self.report(where, "a call that cannot be followed")
        for register in ["rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11"]:
            values[register] = PUBLIC
        values |= {f"v{number}": SECRET for number in range(32)} | {"rax": PUBLIC, "flags": PUBLIC}
        return state

    def smear(self, frame, value, state):
        """Something was written at an index: all of the frame that came from no general register may be it."""
        if level_of(value) == SECRET:
            for place, (old, general) in list(state.stack.items()):
                if place[0] == frame and not general:
                    state.stack[place] = (SECRET, False)

    def address(self, inner, state):
        """The value of an address in brackets; for one on the stack its place, without an offset if it has an index."""
        total, parts = 0, []
        for sign, part in re.findall(r"([+-]?)([^+-]+)", inner):
            if re.fullmatch(r"0x[0-9a-f]+", part):
                total += -signed(part) if sign == "-" else signed(part)
            else:
                parts.append(part)
        value, stack = PUBLIC, None
        for part in parts:
            register = part.split("*")[0]
            if register == "rip":
                value = OPEN
                continue
            if register in ("riz", "eiz"):
                continue
            held = state.values[REGISTER[register]]
            if level_of(held) == SECRET:
                return SECRET
            if is_stack(held) and "*" not in part.replace("*1", ""):
                stack = held
            elif held == OPEN and value == PUBLIC:
                value = OPEN
        if stack is not None:
            offset = None if stack[2] is None or len(parts) > 1 else stack[2] + total
            return ("stack", stack[1], offset)
        return value

    def read(self, where, place, size, comment, state):
        if place == SECRET:
            self.report(where, "an address from a secret")
            return SECRET
        if place == OPEN:
            linked = re.match(r"\s*([0-9a-f]+) <", comment)
            target = self.binary.linked.get(int(linked[1], 16)) if linked else None
            return ("function", target) if target else PUBLIC
        if is_stack(place) and place[2] is not None:
            found = [state.stack.get((place[1], at), (SECRET, False))[0] for at in granules(place[2], size)]
            value = found[0]
            for other in found[1:]:
                value = join(value, other)
            return value
        return SECRET

    def write(self, where, place, size, value, general, state):
        if place == SECRET:
            self.report(where, "an address from a secret")
        elif place == OPEN and level_of(value) == SECRET:
            self.report(where, "a secret among what is taken for public")
        elif is_stack(place):
            if place[2] is None:
                self.smear(place[1], value, state)
                return
            for at in granules(place[2], size):
                whole = size % 4 == 0 and place[2] % 4 == 0
                old = state.stack.get((place[1], at), (SECRET, False))
                state.stack[(place[1], at)] = (value, general) if whole else joined(old, (value, general))

    def instruct(self, where, opcode, operands, comment, state):
        values, text = state.values, " ".join([opcode] + operands)
        if not operands and opcode not in ("cqo", "cdq", "cdqe"):
            self.report(where, "an instruction that is not understood")
        masks = [values[mask] for mask in re.findall(r"\{(k\d)\}", text)]
        if opcode.startswith(("vpmaskmov", "vmaskmov")):
            masks.append(values[REGISTER[operands[1]]])
        found, places = [], []
        for at, operand in enumerate(operands):
            written_only = at == 0 and WRITES_ONLY.match(opcode) and not masks
            value, place = self.operand(where, operand, comment, state, opcode, written_only)
            if place is not None and SECRET in masks:
                self.report(where, "an access that a secret masks")
            found.append(value)
            places.append(place)
        old, *taken = found or [PUBLIC]
        first = places[0] if places else None
        # what is masked stays as it was
        taken += [old] if masks and "{z}" not in text else []
        taken += masks + ([values["flags"]] if READS_FLAGS.match(opcode) else [])
        if self.odd(where, opcode, operands, old, taken, state):
            return
        constant = re.search(r"^vpternlog.* 0x(ff|0)$", text) or (
            len(operands) > 1 and len(set(operands[-2:])) == 1 and SAME_GIVES_A_CONSTANT.match(opcode)
        )
        result = PUBLIC if constant else self.result(where, opcode, operands, old, taken, state)
        if not KEEPS_FLAGS.match(opcode):
            before = [values["flags"]] if LEAVES_FLAGS.match(opcode) else []
            values["flags"] = PUBLIC if constant else highest([result, old] + taken + before)
        if not operands:
            values["rax"], values["rdx"] = result, result
        elif first is None:
            self.put(bare(operands[0]), result, values)
        else:
            general = len(operands) < 2 or not re.match(r"^[xyzk]", operands[-1])
            size = operand_size(operands[0]) or register_size(operands[-1])
            self.write(where, first, size, result, general, state)

    def odd(self, where, opcode, operands, old, taken, state):
        """Instructions whose results go elsewhere than to their first operand."""
        values = state.values
        if opcode in ("div", "idiv"):
            if SECRET in map(level_of, [old, values["rax"], values["rdx"]]):
                self.report(where, "a division of a secret")
            values["rax"] = values["rdx"] = values["flags"] = highest([old, values["rax"], values["rdx"]])
        elif opcode in ("mul", "imul") and len(operands) == 1:
            values["rax"] = values["rdx"] = values["flags"] = highest([old, values["rax"]])
        elif opcode in ("push", "pop"):
            _, frame, at = values["rsp"]
            if opcode == "push":
                self.write(where, ("stack", frame, at - 8), 8, old, True, state)
            else:
                values[REGISTER[operands[0]]] = self.read(where, ("stack", frame, at), 8, "", state)
            values["rsp"] = ("stack", frame, at - 8 if opcode == "push" else at + 8)
        elif opcode in ("cmp", "test", "bt") or SETS_FLAGS.match(opcode):
            values["flags"] = highest([old] + taken)
            if opcode == "cmp" and operands[0] == "rsp":
                values["probe"] = taken[0]
        else:
            values.pop("probe", None)
            return False
        return True

    def result(self, where, opcode, operands, old, taken, state):
        """What an instruction leaves in its first operand."""
        if opcode == "lea":
            return self.address(ONE_ADDRESS.search(operands[1])[2], state)
        if opcode in ("mov", "movabs") and not re.fullmatch(r"[a-ds][xip]|[a-d]h|r\d+w", operands[0]):
            return taken[0]
        if opcode in ("add", "sub"):
            if is_stack(old) and re.fullmatch(r"0x[0-9a-f]+", operands[1]):
                change = signed(operands[1]) if opcode == "add" else -signed(operands[1])
                return ("stack", old[1], None if old[2] is None else old[2] + change)
            if highest([old, taken[0]]) == PUBLIC:
                return summed(old, taken[0])
        if opcode == "and" and is_stack(old) and operands[0] == "rsp":
            # aligned: a frame that keeps clear of the one above
            return ("stack", (old[1], where[1]), 0)
        if opcode == "xchg":
            both = highest(taken + [old])
            self.put(operands[1], both, state.values)
            return both
        if opcode == "mulx":
            both = highest(taken[1:] + [state.values["rdx"]])
            self.put(operands[1], both, state.values)
            return both
        if opcode in ("cqo", "cdq", "cdqe"):
            return highest([state.values["rax"]])
        if WRITES_ONLY.match(opcode) or (opcode == "imul" and len(operands) == 3):
            return highest(taken)
        # all that it names
        return highest(taken + [old])

    def put(self, register, result, values):
        """Writing the lowest byte leaves the others: it is known apart (`.low`) until more is written."""
        wide = REGISTER[register]
        values.pop(f"{wide}.low", None)
        if LOWEST.fullmatch(register):
            values[f"{wide}.low"] = result
            result = highest([values[wide], result])
        values[wide] = result

    def operand(self, where, operand, comment, state, opcode, written_only):
        """What it holds, and its place where that is in memory."""
        plain = bare(operand)
        if plain in REGISTER:
            low = state.values.get(f"{REGISTER[plain]}.low") if LOWEST.fullmatch(plain) else None
            return state.values[REGISTER[plain]] if low is None else low, None
        if memory := ONE_ADDRESS.search(operand):
            if opcode == "lea":
                return PUBLIC, None
            place = self.address(memory[2], state)
            if written_only:
                return PUBLIC, place
            return self.read(where, place, operand_size(operand) or 4, comment, state), place
        if not re.fullmatch(r"-?0x[0-9a-f]+|\d+", plain):
            self.report(where, f"an operand that is not understood: {operand}")
        return PUBLIC, None


def behind(value):
    """What a copy from there brings, at most."""
    return PUBLIC if value == OPEN else SECRET


def bare(operand):
    return re.sub(r"\{.*", "", operand).strip()


def highest(values):
    return max([PUBLIC] + [level_of(value) for value in values])


def signed(text):
    number = int(text, 16)
    return number - (1 << 64) if number >> 63 else number


def summed(a, b):
    """An address and an offset."""
    if is_stack(a) or is_stack(b):
        stack = a if is_stack(a) else b
        return ("stack", stack[1], None)
    return OPEN if OPEN in (a, b) else PUBLIC


def granules(offset, size):
    return range(offset - offset % 4, offset + size, 4)


def operand_size(operand):
    found = re.match(r"([A-Z]+) (PTR|BCST)", operand)
    return SIZES.get(found[1]) if found else None


def register_size(operand):
    return {"x": 16, "y": 32, "z": 64, "r": 8, "e": 4}.get(bare(operand)[:1], 8)


def starts(code, at):
    """Whether a jump leads here; asked often, so found once for each function."""
    if id(code) not in STARTS:
        targets = re.findall(r"\bj\w+\s+([0-9a-f]+) <", "\n".join(text for _, text in code))
        STARTS[id(code)] = {int(target, 16) for target in targets}
    return code[at][0] in STARTS[id(code)]


STARTS = {}


def main():
    binary = Binary(sys.argv[1])
    wrong = []
    for module in MODULES:
        prefix = f"miyu::crypto::simd::{module}::"
        for leak, kind in LEAKS.items():
            analysis = Analysis(binary)
            name = f"ct::leaks::{module.replace('::', '_')}::{leak}"
            if name not in binary.functions:
                wrong.append(f"{name} is not in the binary")
                continue
            analysis.entry(name, {})
            if not any(kind in what for _, _, what in analysis.findings):
                wrong.append(f"{name} was not found to be a secret-dependent {kind}")
        analysis, named = Analysis(binary), 0
        for entry, kinds in ENTRIES.items():
            if prefix + entry not in binary.functions:
                wrong.append(f"{prefix + entry} is not in the binary")
                continue
            analysis.entry(prefix + entry, kinds)
        for name in binary.functions:
            if name.startswith(prefix) and name not in analysis.seen:
                wrong.append(f"{name} is called from nowhere that was followed")
        wrong += [f"{name}\n    {where}\n    {what}" for name, where, what in sorted(analysis.findings)]
        count = sum(len(binary.functions[name]) for name in analysis.seen)
        print(f"{module}: {len(analysis.seen)} functions, {count} instructions")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
