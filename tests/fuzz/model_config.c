/* config.json: refused, or a shape that is written and read back as it was. */
#include "model_config.h"

#include <math.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_config(const struct model_config *config)
{
    static double inverse[1 << 16];
    struct model_config again;
    struct error err = {0};
    CHECK(config->hidden_size > 0 && config->num_attention_heads > 0 && config->head_dim > 0 && config->vocab_size > 0);
    CHECK(config->num_hidden_layers > 0 && config->num_attention_heads % config->num_key_value_heads == 0);
    for (int layer = 0; layer < config->num_hidden_layers && layer < 4; layer++)
        CHECK(model_config_window(config, layer) >= 0);
    if (config->head_dim / 2 <= 1 << 16) {
        rope_inverse_frequencies(inverse, &config->rope, config->head_dim);
        CHECK(isfinite(inverse[0]));
    }
    cJSON *json = model_config_to_json(config);
    CHECK(model_config_parse(&again, json, "again", &err));
    CHECK(model_config_check(config, &again, "again", &err));
    cJSON_Delete(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model_config config;
    struct error err = {0};
    cJSON *json = cJSON_ParseWithLength((const char *)data, size);
    if (cJSON_IsObject(json)) {
        if (model_config_parse(&config, json, "config.json", &err))
            check_config(&config);
        else
            CHECK(err.text[0]);
    }
    cJSON_Delete(json);
    return 0;
}
