#include "report.h"

#include "output_file.h"

#include <math.h>
#include <stdlib.h>

enum { WIDTH = 900, HEIGHT = 340, LEFT = 70, RIGHT = 20, TOP = 20, BOTTOM = 40 };

/* The drawn range of the curve, in steps and losses. */
struct range {
    double first, last, low, high;
};

static void escape(struct output_file *file, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            output_text(file, "&lt;");
            break;
        case '>':
            output_text(file, "&gt;");
            break;
        case '&':
            output_text(file, "&amp;");
            break;
        default:
            output_write(file, text, 1);
        }
    }
}

static bool value_of(const cJSON *record, const char *field, double *value)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(record, field);
    *value = cJSON_IsNumber(item) ? item->valuedouble : NAN;
    return cJSON_IsNumber(item);
}

static void widen(struct range *range, const cJSON *record, const char *field)
{
    double step, loss;
    if (!value_of(record, field, &loss) || !value_of(record, "step", &step))
        return;
    range->last = fmax(range->last, step);
    range->low = fmin(range->low, loss);
    range->high = fmax(range->high, loss);
}

static struct range range_of(const cJSON *history)
{
    struct range range = {.first = 0, .last = 1, .low = INFINITY, .high = -INFINITY};
    const cJSON *record;
    cJSON_ArrayForEach(record, history)
    {
        widen(&range, record, "loss");
        widen(&range, record, "eval_loss");
    }
    if (!(range.low <= range.high))
        range.low = range.high = 0;
    double margin = range.high > range.low ? 0.05 * (range.high - range.low) : 0.5;
    range.low -= margin;
    range.high += margin;
    return range;
}

static double place_x(const struct range *range, double step)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * (step - range->first) / (range->last - range->first);
}

static double place_y(const struct range *range, double loss)
{
    return TOP + (HEIGHT - TOP - BOTTOM) * (range->high - loss) / (range->high - range->low);
}

static void draw_axes(struct output_file *file, const struct range *range)
{
    for (int i = 0; i <= 4; i++) {
        double loss = range->low + (range->high - range->low) * i / 4.0;
        double step = range->first + (range->last - range->first) * i / 4.0;
        double y = place_y(range, loss);
        output_text(file,
                    "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>"
                    "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n",
                    LEFT, WIDTH - RIGHT, y, y, LEFT - 8, y + 4, loss);
        output_text(file, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n", place_x(range, step),
                    HEIGHT - BOTTOM + 20, step);
    }
    output_text(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">step</text>\n", (WIDTH + LEFT) / 2, HEIGHT - 2);
}

/* One field as a line through its points, which tell their values when pointed at. */
static void draw_curve(struct output_file *file, const struct range *range, const cJSON *history, const char *field)
{
    double step, loss;
    const cJSON *record;
    output_text(file, "<polyline class=\"%s\" points=\"", field);
    cJSON_ArrayForEach(record, history)
    {
        if (value_of(record, field, &loss) && value_of(record, "step", &step))
            output_text(file, "%.1f,%.1f ", place_x(range, step), place_y(range, loss));
    }
    output_text(file, "\"/>\n");
    cJSON_ArrayForEach(record, history)
    {
        if (value_of(record, field, &loss) && value_of(record, "step", &step))
            output_text(file,
                        "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"><title>step %.0f: %s %.5g</title>"
                        "</circle>\n",
                        field, place_x(range, step), place_y(range, loss), step, field, loss);
    }
}

static void draw_chart(struct output_file *file, const cJSON *history)
{
    struct range range = range_of(history);
    output_text(file, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"loss by step\">\n", WIDTH, HEIGHT);
    draw_axes(file, &range);
    draw_curve(file, &range, history, "loss");
    draw_curve(file, &range, history, "eval_loss");
    output_text(file, "</svg>\n<p><span class=\"loss\">&#9632;</span> training loss "
                      "<span class=\"eval_loss\">&#9632;</span> evaluation loss</p>\n");
}

static void row(struct output_file *file, const char *name, const char *value)
{
    output_text(file, "<tr><td>%s</td><td>", name);
    escape(file, value);
    output_text(file, "</td></tr>\n");
}

static void number_row(struct output_file *file, const char *name, double value)
{
    output_text(file, "<tr><td>%s</td><td>%.10g</td></tr>\n", name, value);
}

static void write_results(struct output_file *file, const struct trainer_state *state, const struct dataset *data,
                          double seconds)
{
    output_text(file, "<h2>Run</h2><table>\n");
    output_text(file, "<tr><td>steps</td><td>%lld of %lld</td></tr>\n", state->step, state->max_steps);
    number_row(file, "epochs", state->epochs_done);
    if (state->step > 0)
        number_row(file, "mean training loss", state->total_loss / (double)state->step);
    const cJSON *record;
    double loss, last = NAN;
    cJSON_ArrayForEach(record, state->log_history)
    {
        if (value_of(record, "eval_loss", &loss))
            last = loss;
    }
    if (isfinite(last))
        number_row(file, "last evaluation loss", last);
    number_row(file, "tokens", (double)state->tokens);
    number_row(file, "of them trained", (double)state->trained_tokens);
    output_text(file, "<tr><td>seconds (this process)</td><td>%.1f</td></tr>\n", seconds);
    number_row(file, "samples", data->samples);
    number_row(file, "samples cut at max_length", (double)data->report.truncated);
    number_row(file, "samples dropped, nothing to train", (double)data->report.dropped);
    number_row(file, "longest sample in tokens", data->report.longest);
    output_text(file, "</table>\n");
}

static void write_throughput(struct output_file *file, const cJSON *history)
{
    double speed, sum = 0, best = 0;
    int count = 0;
    const cJSON *record;
    cJSON_ArrayForEach(record, history)
    {
        if (!value_of(record, "tokens_per_second", &speed))
            continue;
        sum += speed;
        best = fmax(best, speed);
        count++;
    }
    if (count > 0)
        output_text(file,
                    "<h2>Throughput</h2><p>%.0f tokens/s on average over the logged intervals, %.0f at best.</p>\n",
                    sum / count, best);
}

static void write_settings(struct output_file *file, const struct program *program, const struct train_config *config)
{
    output_text(file, "<h2>Settings</h2><table>\n");
    row(file, "recipe", program->recipe);
    row(file, "model_type", program->model.model_type);
    number_row(file, "r", program->lora.r);
    number_row(file, "lora_alpha", program->lora.lora_alpha);
    number_row(file, "lora_dropout", program->lora.lora_dropout);
    number_row(file, "trained parameters", (double)program->cost.trained_parameters);
    number_row(file, "frozen parameters", (double)program->cost.frozen_parameters);
    number_row(file, "per_device_train_batch_size", config->per_device_train_batch_size);
    number_row(file, "gradient_accumulation_steps", config->gradient_accumulation_steps);
    number_row(file, "max_length", config->max_length);
    row(file, "packing", config->packing ? "true" : "false");
    number_row(file, "learning_rate", config->learning_rate);
    row(file, "lr_scheduler_type", config->lr_scheduler_type);
    number_row(file, "warmup_steps", config->warmup_steps);
    number_row(file, "warmup_ratio", config->warmup_ratio);
    number_row(file, "num_train_epochs", config->num_train_epochs);
    number_row(file, "max_steps", config->max_steps);
    number_row(file, "weight_decay", config->weight_decay);
    number_row(file, "max_grad_norm", config->max_grad_norm);
    number_row(file, "seed", (double)config->seed);
    row(file, "shuffle", config->shuffle ? "true" : "false");
    row(file, "assistant_only_loss", config->assistant_only_loss ? "true" : "false");
    output_text(file, "</table>\n");
}

static const char HEAD[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>training report</title>\n<style>\n"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 "
    "1em;color:#222;background:#fff}\n"
    "svg{width:100%;height:auto}svg text{font-size:12px;fill:#666}.grid{stroke:#ddd}\n"
    "polyline{fill:none;stroke-width:1.5}polyline.loss{stroke:#2563a8}polyline.eval_loss{stroke:#c2571a}\n"
    "circle.loss{fill:#2563a8}circle.eval_loss{fill:#c2571a}span.loss{color:#2563a8}span.eval_loss{color:#c2571a}\n"
    "table{border-collapse:collapse}td{padding:.15em 1.2em .15em 0;border-bottom:1px solid #eee}\n"
    "</style></head><body>\n";

bool report_write(const char *directory, const struct program *program, const struct train_config *config,
                  const struct trainer_state *state, const struct dataset *data, double seconds, struct error *err)
{
    char *path = path_join(directory, "report.html");
    struct output_file *file = output_open(path, err);
    free(path);
    if (!file)
        return false;
    output_write(file, HEAD, sizeof HEAD - 1);
    output_text(file, "<h1>");
    escape(file, program->name);
    output_text(file, "</h1>\n");
    draw_chart(file, state->log_history);
    write_results(file, state, data, seconds);
    write_throughput(file, state->log_history);
    write_settings(file, program, config);
    output_text(file, "</body></html>\n");
    return output_close(file, err);
}
