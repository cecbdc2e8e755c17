/* Replies on a backend that always finds the next id likeliest: where they end, what is shown of them, what the cache keeps. */
#define _POSIX_C_SOURCE 200809L
#include "fake_backend.h"
#include "fake_tokenizer.h"
#include "generator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char directory[64];
    struct device device;
    struct session session;
    struct generation_config config;
    int32_t stops[4];
    struct generator generator;
    struct reply reply;
    struct error err;
    char shown[200]; /* pieces as they came, | behind each */
};

static int begin(void **state)
{
    struct fixture *f = allocate(sizeof *f, "a fixture");
    strcpy(f->directory, "/tmp/lorac-generator-XXXXXX");
    if (!mkdtemp(f->directory))
        return -1;
    fake_tokenizer_write(f->directory);
    fake_device_init(&f->device);
    f->session = (struct session){
        .program = &fake_program,
        .backend = &fake_backend,
        .device = &f->device,
        .tokenizer = tokenizer_load(f->directory, &f->err),
    };
    f->config = (struct generation_config){
        .sampling = {.top_p = 1, .repetition_penalty = 1},
        .max_new_tokens = 5,
        .stop_ids = f->stops,
    };
    generator_init(&f->generator, &f->session, &f->config);
    *state = f;
    return f->session.tokenizer ? 0 : -1;
}

static int end(void **state)
{
    struct fixture *f = *state;
    reply_free(&f->reply);
    generator_free(&f->generator);
    tokenizer_free(f->session.tokenizer);
    char *tokenizer = format_text("%s/tokenizer.json", f->directory);
    char *config = format_text("%s/tokenizer_config.json", f->directory);
    unlink(tokenizer);
    unlink(config);
    rmdir(f->directory);
    free(tokenizer);
    free(config);
    free(f);
    return 0;
}

static void show(void *context, const char *text, size_t length)
{
    struct fixture *f = context;
    strncat(f->shown, text, length);
    strcat(f->shown, "|");
}

static void reply_to(struct fixture *f, const char *prompt)
{
    int32_t ids[64];
    int count = (int)strlen(prompt);
    for (int i = 0; i < count; i++)
        ids[i] = (unsigned char)prompt[i];
    reply_free(&f->reply);
    f->shown[0] = '\0';
    if (!generator_reply(&f->generator, ids, count, true, show, f, &f->reply, &f->err))
        fail_msg("%s", f->err.text);
}

static void expect_reply(const struct fixture *f, const char *text, int tokens, enum finish_reason finish)
{
    assert_int_equal(f->reply.text.length, strlen(text));
    assert_memory_equal(f->reply.text.data, text, strlen(text));
    assert_int_equal(f->reply.count, tokens);
    assert_string_equal(finish_name(f->reply.finish), finish_name(finish));
}

static void test_greedy_goes_on_to_max_new_tokens(void **state)
{
    struct fixture *f = *state;
    reply_to(f, "xya");
    expect_reply(f, "bcdef", 5, FINISH_LENGTH);
    assert_string_equal(f->shown, "b|c|d|e|f|");
    assert_int_equal(f->reply.prompt_tokens, 3);
    assert_int_equal(f->reply.decoded, 4);
}

static void test_a_stop_token_ends_it_and_is_not_text(void **state)
{
    struct fixture *f = *state;
    f->stops[0] = 'z';
    f->stops[1] = 'd';
    f->config.stop_id_count = 2;
    reply_to(f, "a");
    expect_reply(f, "bc", 3, FINISH_STOP);
    assert_int_equal(f->reply.ids[2], 'd');
}

static void test_a_stop_text_is_held_back_and_cut(void **state)
{
    struct fixture *f = *state;
    f->config.stop_texts[0] = "cdX";
    f->config.stop_texts[1] = "ef";
    f->config.stop_text_count = 2;
    f->config.max_new_tokens = 20;
    reply_to(f, "a");
    expect_reply(f, "bcd", 5, FINISH_STOP);
    assert_string_equal(f->shown, "b|cd|");
    f->config.stop_texts[1] = "cdefg!";
    f->config.max_new_tokens = 3;
    reply_to(f, "a"); /* what was held back comes out at the end */
    expect_reply(f, "bcd", 3, FINISH_LENGTH);
    assert_string_equal(f->shown, "b|cd|");
}

static void test_a_full_context_ends_it(void **state)
{
    struct fixture *f = *state;
    f->config.max_new_tokens = 100;
    char prompt[33];
    memset(prompt, 'a', 32);
    prompt[30] = '\0';
    reply_to(f, prompt); /* 30 of 32 */
    expect_reply(f, "bcd", 3, FINISH_LENGTH);
    assert_int_equal(f->device.length, 32);
    prompt[30] = 'a';
    prompt[32] = '\0';
    reply_to(f, prompt);
    expect_reply(f, "b", 1, FINISH_LENGTH);
}

static void test_the_cache_keeps_what_prompts_share(void **state)
{
    struct fixture *f = *state;
    reply_to(f, "hello a");
    reply_to(f, "hello abcdef p"); /* "hello a" and the reply but its last token are there */
    expect_reply(f, "qrstu", 5, FINISH_LENGTH);
    assert_int_equal(f->reply.prompt_tokens, 3);
    reply_to(f, "hello abcdef p"); /* the last token is computed again */
    expect_reply(f, "qrstu", 5, FINISH_LENGTH);
    assert_int_equal(f->reply.prompt_tokens, 1);
    reply_to(f, "hi");
    assert_int_equal(f->reply.prompt_tokens, 1);
    assert_int_equal(f->device.context[1], 'i');
}

static void test_a_device_without_tokenizer_gives_ids(void **state)
{
    struct fixture *f = *state;
    struct session bare = f->session;
    bare.tokenizer = NULL;
    f->generator.session = &bare;
    reply_to(f, "a");
    assert_int_equal(f->reply.count, 5);
    assert_int_equal(f->reply.ids[4], 'f');
    assert_int_equal(f->reply.text.length, 0);
}

static void test_impossible_prompts_are_refused(void **state)
{
    struct fixture *f = *state;
    int32_t ids[33] = {5, 200};
    assert_false(generator_check(&fake_program, ids, 0, &f->err));
    assert_string_equal(f->err.text, "the prompt has no tokens; give it some text");
    assert_false(generator_check(&fake_program, ids, 2, &f->err));
    assert_string_equal(f->err.text, "the prompt's token 2 is 200; expected 0 to 127");
    assert_false(generator_check(&fake_program, ids, 33, &f->err));
    assert_string_equal(f->err.text, "the prompt has 33 tokens, more than the context of 32 that this program was "
                                     "compiled for; shorten it, or raise inference.max_context in recipes/fake.lua");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_greedy_goes_on_to_max_new_tokens),   TEST(test_a_stop_token_ends_it_and_is_not_text),
        TEST(test_a_stop_text_is_held_back_and_cut),   TEST(test_a_full_context_ends_it),
        TEST(test_the_cache_keeps_what_prompts_share), TEST(test_a_device_without_tokenizer_gives_ids),
        TEST(test_impossible_prompts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
