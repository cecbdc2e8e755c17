/* --dump=graph and --dump=backward: the operations of each kind of layer, in order. */
#include "graph.h"

static void dump_operations(const struct graph *graph, int from, int to, FILE *out)
{
    for (int i = from; i < to; i++) {
        const struct operation *op = &graph->operations[i];
        fprintf(out, "    %2d %s(", i, op->kernel);
        for (int j = 0; j < op->count; j++)
            fprintf(out, "%s%s", j ? ", " : "", op->operands[j].text);
        fprintf(out, ")\n");
    }
}

static void dump_layers(const struct layer_kind *kind, FILE *out)
{
    fprintf(out, "%s: layer%s", kind->name, kind->count == 1 ? "" : "s");
    for (int i = 0; i < kind->count; i++) {
        int last = i;
        while (last + 1 < kind->count && kind->layers[last + 1] == kind->layers[last] + 1)
            last++;
        fprintf(out, last > i ? " %d-%d" : " %d", kind->layers[i], kind->layers[last]);
        i = last;
    }
    fprintf(out, "%s\n", kind->trains ? "" : ", no backward pass");
}

void graph_dump(const struct plan *plan, FILE *out)
{
    for (int i = 0; i < plan->graph->kind_count; i++) {
        const struct layer_kind *kind = &plan->graph->kinds[i];
        dump_layers(kind, out);
        dump_operations(&kind->graph, 0, kind->graph.forward_count, out);
    }
    fprintf(out, "head: trained rows, block by block\n");
    dump_operations(&plan->graph->head, 0, plan->graph->head.forward_count, out);
}

void backward_dump(const struct plan *plan, FILE *out)
{
    const struct graph *head = &plan->graph->head;
    fprintf(out, "head: trained rows, block by block\n");
    dump_operations(head, head->forward_count, head->count, out);
    for (int i = plan->graph->kind_count - 1; i >= 0; i--) {
        const struct layer_kind *kind = &plan->graph->kinds[i];
        dump_layers(kind, out);
        dump_operations(&kind->graph, kind->graph.forward_count, kind->graph.count, out);
    }
}
