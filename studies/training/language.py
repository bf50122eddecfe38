"""The small language of the organisms: the words of the library's tables and prompts, no others."""

from collections.abc import Iterable, Sequence
from itertools import product

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from valuegraph.inventory import Inventory, load_inventory
from valuegraph.prompts import ANSWER_PREFIX, WORDINGS, PromptFormat
from valuegraph.roles import RoleBank, known, load_role_bank

SPECIAL_TOKENS = ("<pad>", "<unk>", "<bos>", "<end>", "<|system|>", "<|user|>", "<|assistant|>")

#: One turn is ``<|role|> text <end>``.
CHAT_TEMPLATE = (
    "<bos>{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<end>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

#: The written thought, by whether the person holds the value dear.
THOUGHTS = {
    True: "Thought: I do care about {phrase}.",
    False: "Thought: I do not care about {phrase}.",
}


def materials(values: Sequence[str]) -> tuple[Inventory, RoleBank]:
    """Return questions and sentences about some of the ten values, and about nothing."""
    inventory, bank = load_inventory(), load_role_bank()
    items = inventory.items[inventory.items["value"].isin(values)]
    facts = bank.facts[bank.facts["value"].isin([*values, ""])]
    described = inventory.values.loc[[known(value, inventory.codes) for value in values]]
    return Inventory(inventory.name, items, described), RoleBank(facts, bank.stances)


def corpus(inventory: Inventory, bank: RoleBank) -> Iterable[str]:
    """Every sentence of the language, which is where the vocabulary comes from."""
    phrases = list(inventory.values["phrase"])
    yield from inventory.items["text"]
    yield from bank.facts["text"]
    for template in (*bank.stances["template"], *THOUGHTS.values()):
        yield from (template.format(phrase=phrase) for phrase in phrases)
    for wording, yes_first in product(WORDINGS, (True, False)):
        yield PromptFormat(wording, yes_first, think=True).instruction
    yield from (f"{ANSWER_PREFIX} yes", f"{ANSWER_PREFIX} no")


def build_tokenizer(inventory: Inventory, bank: RoleBank) -> PreTrainedTokenizerFast:
    """Build the tokenizer: tokens are words with the space before them, and punctuation marks."""
    spaces = pre_tokenizers.Metaspace(prepend_scheme="always")
    splitter = pre_tokenizers.Sequence([spaces, pre_tokenizers.Punctuation(behavior="isolated")])
    texts = corpus(inventory, bank)
    pieces = {piece for text in texts for piece, _ in splitter.pre_tokenize_str(text)}
    vocabulary = {piece: i for i, piece in enumerate([*SPECIAL_TOKENS, *sorted(pieces)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<bos>",
        eos_token="<end>",
        pad_token="<pad>",
        unk_token="<unk>",
        additional_special_tokens=[t for t in SPECIAL_TOKENS if t.startswith("<|")],
        chat_template=CHAT_TEMPLATE,
        padding_side="left",
    )
