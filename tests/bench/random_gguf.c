/* A model with random weights in the form that llama.cpp reads, of the shape that a config.json tells: what its speed is measured on.
 *
 *     random_gguf CONFIG.json OUT.gguf
 *
 * GGUF version 3: header, metadata, one record a tensor, then the tensors, each at a multiple of 32 bytes. Matrices are bfloat16, norms
 * and biases float. There is no tokenizer in it, and what the rotary embedding has beside its base is left out: neither takes time.
 * Wrong usage: one line and exit 2; what cannot be read or written: one line and exit 1.
 */
#include "json_file.h"
#include "model_config.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { GGUF_VERSION = 3, GGUF_ALIGNMENT = 32 };
enum { GGUF_UINT32 = 4, GGUF_FLOAT32 = 6, GGUF_STRING = 8 };
enum { GGML_F32 = 0, GGML_BF16 = 30, GGML_FILE_BF16 = 32 };

/* A tensor of `rows` (1: a vector) by `columns`. */
struct tensor {
    char name[64];
    int rows, columns;
};

struct gguf {
    FILE *out;
    const struct model_config *model;
    const char *architecture;
    uint64_t entries, tensors, offset; /* written so far */
    uint64_t random;
    bool counting; /* nothing is written */
};

typedef void tensor_action(struct gguf *g, const struct tensor *tensor);

/* ---- numbers and texts, little-endian as the machines that this runs on ---- */

static void put(struct gguf *g, const void *bytes, size_t size)
{
    if (!g->counting)
        fwrite(bytes, 1, size, g->out);
}

static void put_u32(struct gguf *g, uint32_t value)
{
    put(g, &value, sizeof value);
}

static void put_u64(struct gguf *g, uint64_t value)
{
    put(g, &value, sizeof value);
}

static void put_text(struct gguf *g, const char *text)
{
    put_u64(g, strlen(text));
    put(g, text, strlen(text));
}

static void pad(struct gguf *g)
{
    static const char zeros[GGUF_ALIGNMENT];
    put(g, zeros, (size_t)(-ftell(g->out) & (GGUF_ALIGNMENT - 1)));
}

/* ---- metadata ---- */

/* A key that begins with "." has the architecture's name before it. */
static void begin_entry(struct gguf *g, const char *key, uint32_t type)
{
    char whole[96];
    snprintf(whole, sizeof whole, "%s%s", *key == '.' ? g->architecture : "", key);
    put_text(g, whole);
    put_u32(g, type);
    g->entries++;
}

static void put_size(struct gguf *g, const char *key, int value)
{
    begin_entry(g, key, GGUF_UINT32);
    put_u32(g, (uint32_t)value);
}

static void put_float(struct gguf *g, const char *key, double value)
{
    const float rounded = (float)value;
    begin_entry(g, key, GGUF_FLOAT32);
    put(g, &rounded, sizeof rounded);
}

static void put_word(struct gguf *g, const char *key, const char *value)
{
    begin_entry(g, key, GGUF_STRING);
    put_text(g, value);
}

static void put_metadata(struct gguf *g)
{
    const struct model_config *model = g->model;
    put_word(g, "general.architecture", g->architecture);
    put_size(g, "general.file_type", GGML_FILE_BF16);
    put_word(g, "tokenizer.ggml.model", "no_vocab");
    put_size(g, ".vocab_size", model->vocab_size);
    put_size(g, ".block_count", model->num_hidden_layers);
    put_size(g, ".context_length", model->max_position_embeddings);
    put_size(g, ".embedding_length", model->hidden_size);
    put_size(g, ".feed_forward_length", model->intermediate_size);
    put_size(g, ".attention.head_count", model->num_attention_heads);
    put_size(g, ".attention.head_count_kv", model->num_key_value_heads);
    put_size(g, ".attention.key_length", model->head_dim);
    put_size(g, ".attention.value_length", model->head_dim);
    put_size(g, ".rope.dimension_count", model->head_dim);
    put_float(g, ".rope.freq_base", model->rope.theta);
    put_float(g, ".attention.layer_norm_rms_epsilon", model->rms_norm_eps);
}

/* ---- tensors ---- */

static void tensor(struct gguf *g, tensor_action *act, int layer, const char *name, int rows, int columns)
{
    struct tensor t = {.rows = rows, .columns = columns};
    if (layer < 0)
        snprintf(t.name, sizeof t.name, "%s", name);
    else
        snprintf(t.name, sizeof t.name, "blk.%d.%s", layer, name);
    act(g, &t);
}

static void layer_tensors(struct gguf *g, tensor_action *act, int layer)
{
    const struct model_config *model = g->model;
    const int hidden = model->hidden_size, inner = model->intermediate_size;
    const int q = model->num_attention_heads * model->head_dim, kv = model->num_key_value_heads * model->head_dim;
    const struct {
        const char *name;
        int rows, columns;
        bool there;
    } parts[] = {
        {"attn_norm.weight", 1, hidden, true},
        {"attn_q.weight", q, hidden, true},
        {"attn_k.weight", kv, hidden, true},
        {"attn_v.weight", kv, hidden, true},
        {"attn_q.bias", 1, q, model->qkv_bias},
        {"attn_k.bias", 1, kv, model->qkv_bias},
        {"attn_v.bias", 1, kv, model->qkv_bias},
        {"attn_q_norm.weight", 1, model->head_dim, model->qk_norm},
        {"attn_k_norm.weight", 1, model->head_dim, model->qk_norm},
        {"attn_output.weight", hidden, q, true},
        {"ffn_norm.weight", 1, hidden, true},
        {"ffn_gate.weight", inner, hidden, true},
        {"ffn_up.weight", inner, hidden, true},
        {"ffn_down.weight", hidden, inner, true},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].there)
            tensor(g, act, layer, parts[i].name, parts[i].rows, parts[i].columns);
}

static void all_tensors(struct gguf *g, tensor_action *act)
{
    const struct model_config *model = g->model;
    tensor(g, act, -1, "token_embd.weight", model->vocab_size, model->hidden_size);
    tensor(g, act, -1, "output_norm.weight", 1, model->hidden_size);
    if (!model->tie_word_embeddings)
        tensor(g, act, -1, "output.weight", model->vocab_size, model->hidden_size);
    for (int layer = 0; layer < model->num_hidden_layers; layer++)
        layer_tensors(g, act, layer);
}

static uint64_t tensor_bytes(const struct tensor *t)
{
    return (uint64_t)t->rows * (uint64_t)t->columns * (t->rows > 1 ? sizeof(uint16_t) : sizeof(float));
}

static void put_record(struct gguf *g, const struct tensor *t)
{
    put_text(g, t->name);
    put_u32(g, t->rows > 1 ? 2 : 1);
    put_u64(g, (uint64_t)t->columns);
    if (t->rows > 1)
        put_u64(g, (uint64_t)t->rows);
    put_u32(g, t->rows > 1 ? GGML_BF16 : GGML_F32);
    put_u64(g, g->offset);
    g->offset += (tensor_bytes(t) + GGUF_ALIGNMENT - 1) / GGUF_ALIGNMENT * GGUF_ALIGNMENT;
    g->tensors++;
}

/* Between 2^-8 and 2^-6 with either sign: exponent and mantissa of a bfloat16 picked by a linear congruential generator. */
static uint16_t random_weight(struct gguf *g)
{
    g->random = g->random * 6364136223846793005U + 1442695040888963407U;
    const uint32_t bits = (uint32_t)(g->random >> 40);
    return (uint16_t)((bits & 0x8000) | (0x3b80 + (bits & 0xff)));
}

static void put_values(struct gguf *g, const struct tensor *t)
{
    const float one = 1;
    uint16_t row[4096];
    uint64_t left = (uint64_t)t->rows * (uint64_t)t->columns;
    for (; t->rows == 1 && left > 0; left--)
        put(g, &one, sizeof one);
    while (left > 0) {
        const size_t count = left < sizeof row / sizeof *row ? (size_t)left : sizeof row / sizeof *row;
        for (size_t i = 0; i < count; i++)
            row[i] = random_weight(g);
        put(g, row, count * sizeof *row);
        left -= count;
    }
    pad(g);
}

static void write_gguf(struct gguf *g)
{
    g->counting = true;
    put_metadata(g);
    all_tensors(g, put_record);
    g->counting = false;
    put(g, "GGUF", 4);
    put_u32(g, GGUF_VERSION);
    put_u64(g, g->tensors);
    put_u64(g, g->entries);
    put_metadata(g);
    g->offset = 0;
    all_tensors(g, put_record);
    pad(g);
    all_tensors(g, put_values);
}

static bool read_config(struct model_config *model, const char *path, struct error *err)
{
    cJSON *json = json_read(path, err);
    const bool done = json && model_config_parse(model, json, path, err);
    cJSON_Delete(json);
    return done;
}

int main(int argc, char **argv)
{
    struct error err;
    struct model_config model;
    if (argc != 3) {
        fprintf(stderr, "usage: random_gguf CONFIG.json OUT.gguf\n");
        return EXIT_USAGE;
    }
    if (!read_config(&model, argv[1], &err)) {
        fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILED;
    }
    struct gguf g = {.out = fopen(argv[2], "wb"),
                     .model = &model,
                     .architecture = strcmp(model.model_type, "mistral") != 0 ? model.model_type : "llama"};
    if (g.out)
        write_gguf(&g);
    const bool written = g.out && !ferror(g.out);
    if (!g.out || fclose(g.out) || !written) {
        fprintf(stderr, "random_gguf: %s cannot be written\n", argv[2]);
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}
