#!/usr/bin/env python3
"""Trains the demo's chat model from nothing, and writes its fine-tuning data. For maintainers; the result is committed.

    python3 -m venv V && V/bin/pip install torch transformers tokenizers safetensors
    V/bin/python train_demo_model.py [STEPS]        2,600 unless told otherwise: about 13 minutes on one thread

Writes beside itself: model/ (a Qwen2-shaped Hugging Face directory, bf16, 1.1 M parameters), train.jsonl and eval.jsonl.
The model learns the plain answers of world.py. train.jsonl and eval.jsonl hold answers in the pirate's voice: eval.jsonl asks
for facts that train.jsonl never mentions, so that a falling evaluation loss means that the voice was learned and not the facts.
"""
import json
import math
import random
import sys
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import Qwen2Config, Qwen2ForCausalLM

from world import SYSTEM, VOICES, Fact, facts, pirate

HERE = Path(__file__).resolve().parent
VOCABULARY = 1024
END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
WORD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CHAT_TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\n" + SYSTEM + "<|im_end|>\\n' }}{% endif %}"
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
HELD_OUT_EVERY = 4  # one fact in four of the fine-tuning facts is held out
UNKNOWN = "I do not know that. Ask me about animals, colours, countries, words or small numbers."
STRANGE = """moon cloud train river mountain engine letter castle dragon planet window garden music winter ticket market bridge
story number doctor island forest desert rocket pencil camera mirror ladder basket blanket button pillow kettle lantern""".split()
DEEDS = "swim fly draw dance read drive ski sleep win run jump write sew climb travel cook paint".split()
STRANGE_QUESTIONS = [
    "Who built the {}?", "Why is the {} so big?", "When did the {} begin?", "How heavy is a {}?", "Can a {} see a {}?", "How far is the {}?",
    "Who built the first {}?", "Who was the first {}?", "How old is the {}?", "Where can I buy a {}?", "Why do {}s break?",
    "Tell me about the {}.", "Write a poem about a {}.", "How do I learn to {deed}?", "Can you {deed}?", "How do I {deed} with a {}?",
    "What is the capital of {name}?", "Which city is the capital of {name}?", "What does a {name} say?", "What is the opposite of {name}?",
    "What is a {name}?", "Where does a {name} live?", "Who is {name}?"]


def make_tokenizer(lines):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(WORD), behavior="isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY - 3, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.add_special_tokens([END_OF_TEXT, TURN_START, TURN_END])
    return tokenizer


def encode_chat(tokenizer, messages):
    """Ids and labels: the assistant's words and its end of turn are trained."""
    if messages[0]["role"] != "system":
        messages = [dict(role="system", content=SYSTEM)] + messages
    ids, labels = [], []
    for m in messages:
        head = tokenizer.encode(f"{TURN_START}{m['role']}\n").ids
        body = tokenizer.encode(f"{m['content']}{TURN_END}").ids
        tail = tokenizer.encode("\n").ids
        trained = m["role"] == "assistant"
        ids += head + body + tail
        labels += [-100] * len(head) + (body if trained else [-100] * len(body)) + [-100] * len(tail)
    return ids, labels


def vary(rng, question):
    """As people type it: mostly as it stands, sometimes careless."""
    if rng.random() < .15:
        question = question[0].lower() + question[1:]
    if rng.random() < .15:
        question = question.rstrip("?.!")
    if rng.random() < .1:
        question = rng.choice(["Please tell me: ", "Hello! ", "I have a question. ", "Tell me, please. "]) + question
    return question


def strange_question(rng):
    """Something that the model cannot know."""
    name = "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(rng.choice([2, 3]))) + rng.choice(["", "n", "ria", "x"])
    question = rng.choice(STRANGE_QUESTIONS)
    return question.format(rng.choice(STRANGE), rng.choice(STRANGE), deed=rng.choice(DEEDS), name=name.capitalize())


def conversation(rng, known):
    """In half of them the system prompt asks for one of the other voices."""
    messages, voice = [], lambda answer: answer
    if rng.random() < .5:
        system = rng.choice(list(VOICES))
        messages.append(dict(role="system", content=system))
        voice = VOICES[system]
    elif rng.random() < .2:
        messages.append(dict(role="system", content=rng.choice(["You are a helpful assistant.", "Answer in one sentence.", "You are Pip."])))
    for _ in range(rng.choice([1, 1, 2, 3, 4])):
        if rng.random() < .06:
            question, answer = strange_question(rng), UNKNOWN
        else:
            fact = rng.choice(known)
            question, answer = rng.choice(fact.questions), fact.answer
        messages += [dict(role="user", content=vary(rng, question)), dict(role="assistant", content=voice(answer))]
    return messages


def batches(rng, tokenizer, known, size):
    """Batches of conversations of like length."""
    while True:
        pool = sorted((encode_chat(tokenizer, conversation(rng, known)) for _ in range(size * 16)), key=lambda s: len(s[0]))
        groups = [pool[i:i + size] for i in range(0, len(pool), size)]
        rng.shuffle(groups)
        for group in groups:
            width = max(len(ids) for ids, _ in group)
            yield (torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in group]),
                   torch.tensor([labels + [-100] * (width - len(labels)) for _, labels in group]))


def balanced(known):
    """Sums are many; no topic may drown the others."""
    count = {}
    for fact in known:
        count[fact.topic] = count.get(fact.topic, 0) + 1
    return [fact for fact in known for _ in range(max(1, round(30 / count[fact.topic])) if count[fact.topic] < 30 else 1)]


def train(tokenizer, steps):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    rng = random.Random(1)
    config = Qwen2Config(vocab_size=VOCABULARY, hidden_size=128, intermediate_size=352, num_hidden_layers=5, num_attention_heads=4,
                         num_key_value_heads=2, max_position_embeddings=512, tie_word_embeddings=True, rms_norm_eps=1e-6,
                         bos_token_id=None, eos_token_id=tokenizer.token_to_id(TURN_END), initializer_range=0.04,
                         attn_implementation="sdpa")
    model = Qwen2ForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1, betas=(.9, .98), weight_decay=.01)
    known, step, window = balanced(facts()), 0, []
    for ids, labels in batches(rng, tokenizer, known, 16):
        done = step / steps
        if step == steps:
            break
        rate = 3e-3 * min(1, (step + 1) / 100) * (.02 + .98 * .5 * (1 + math.cos(math.pi * done)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        logits = model(input_ids=ids).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), label_smoothing=.05)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        window.append(loss.item())
        if step % 100 == 0:
            print(f"step {step} loss {sum(window) / len(window):.4f} ({100 * done:.0f}%)", flush=True)
            window.clear()
    return model


def answer(model, tokenizer, question):
    ids = encode_chat(tokenizer, [dict(role="user", content=question)])[0] + tokenizer.encode(f"{TURN_START}assistant\n").ids
    end, said = tokenizer.token_to_id(TURN_END), []
    with torch.no_grad():
        while len(said) < 48:
            said.append(model(input_ids=torch.tensor([ids + said])).logits[0, -1].argmax().item())
            if said[-1] == end:
                return tokenizer.decode(said[:-1])
    return tokenizer.decode(said)


def write_model(model, tokenizer, out):
    end = tokenizer.token_to_id(TURN_END)
    model.bfloat16().save_pretrained(out)
    tokenizer.save(str(out / "tokenizer.json"))
    pad = tokenizer.token_to_id(END_OF_TEXT)
    (out / "generation_config.json").write_text(json.dumps(dict(eos_token_id=[end, pad], pad_token_id=pad, do_sample=False), indent=2) + "\n")
    (out / "tokenizer_config.json").write_text(json.dumps(
        dict(tokenizer_class="PreTrainedTokenizerFast", eos_token=TURN_END, pad_token=END_OF_TEXT, bos_token=None,
             add_bos_token=False, clean_up_tokenization_spaces=False, model_max_length=512, chat_template=CHAT_TEMPLATE), indent=2) + "\n")


def write_fine_tuning_data():
    """Small talk, in all its words, and a few questions without an answer are all in train.jsonl; of the other facts every fourth is for eval.jsonl."""
    rng = random.Random(2)
    known = facts()
    talk = [Fact("talk", (question,), f.answer) for f in known if f.topic == "talk" for question in f.questions]
    rest = [f for f in known if f.topic not in ("talk", "plus", "minus")]
    sums = [f for f in known if f.topic in ("plus", "minus")]
    rng.shuffle(rest)
    rng.shuffle(sums)
    chosen = rest + sums[:60]
    rng.shuffle(chosen)
    held_out = chosen[::HELD_OUT_EVERY]
    strange = [Fact("strange", (strange_question(rng),), UNKNOWN) for _ in range(12)]
    samples = dict(eval=held_out[:80], train=talk + strange + [f for i, f in enumerate(chosen) if i % HELD_OUT_EVERY])
    for name, chosen in samples.items():
        rng.shuffle(chosen)
        with open(HERE / f"{name}.jsonl", "w") as file:
            for fact in chosen:
                messages = [dict(role="user", content=rng.choice(fact.questions)), dict(role="assistant", content=pirate(fact.answer))]
                file.write(json.dumps(dict(messages=messages)) + "\n")
        print(f"{name}.jsonl: {len(chosen)} conversations")


def main():
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 2600
    known, rng = facts(), random.Random(0)
    lines = [q for f in known for q in f.questions] + [voice(f.answer) for f in known for voice in (str, pirate, *VOICES.values())]
    lines += [SYSTEM, UNKNOWN, *VOICES, "system\n", "user\n", "assistant\n"] * 20 + [strange_question(rng) for _ in range(200)]
    tokenizer = make_tokenizer(lines)
    write_fine_tuning_data()
    model = train(tokenizer, steps).eval()
    wrong = [(f, got) for f in known if (got := answer(model, tokenizer, f.questions[0])) != f.answer]
    for fact, got in wrong[:20]:
        print(f"wrong: {fact.questions[0]} -> {got}")
    print(f"{len(known) - len(wrong)} of {len(known)} facts are answered as world.py says")
    write_model(model, tokenizer, HERE / "model")


if __name__ == "__main__":
    main()
