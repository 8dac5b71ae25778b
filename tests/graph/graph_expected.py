"""Names of the FakeQuantize operations that NNCF 3.4.0 adds to each of the small models, as recorded from it."""

# With the performance preset and no model type.
PERFORMANCE = {
    "conv_bias_relu": "conv_1/fq_weights_1 conv_2/fq_weights_1 image/fq_output_0 relu_1/fq_output_0",
    "half_precision_weights": "conv_1/fq_weights_1 conv_2/fq_weights_1 image/fq_output_0 relu_1/fq_output_0",
    "preprocessing": "conv_1/fq_weights_1 over_deviation/fq_output_0",
    "float_preprocessing": "conv_1/fq_weights_1 shift/fq_output_0",
    "residual": (
        "bias_2/fq_output_0 conv_1/fq_weights_1 conv_2/fq_weights_1 conv_3/fq_weights_1 image/fq_output_0 "
        "relu_1/fq_output_0 relu_2/fq_output_0"
    ),
    "residual_chain": (
        "bias_1b/fq_output_0 bias_2b/fq_output_0 bias_3b/fq_output_0 conv_1a/fq_weights_1 conv_1b/fq_weights_1 "
        "conv_2a/fq_weights_1 conv_2b/fq_weights_1 conv_3a/fq_weights_1 conv_3b/fq_weights_1 head/fq_weights_1 "
        "image/fq_output_0 pool/fq_output_0 relu_0/fq_output_0 relu_1/fq_output_0 relu_1a/fq_output_0 "
        "relu_2/fq_output_0 relu_2a/fq_output_0 relu_3/fq_output_0 relu_3a/fq_output_0 stem/fq_weights_1"
    ),
    "depthwise_separable": (
        "conv_1/fq_weights_1 conv_2/fq_weights_1 depthwise/fq_weights_1 image/fq_output_0 relu6_1/fq_output_0 "
        "relu6_2/fq_output_0"
    ),
    "depthwise_beside_pointwise": (
        "conv_1/fq_weights_1 depthwise/fq_output_0 depthwise/fq_weights_1 image/fq_output_0 pointwise/fq_output_0 "
        "pointwise/fq_weights_1 relu_1/fq_output_0"
    ),
    "transposed_convolutions": "image/fq_output_0 relu_1/fq_output_0 up/fq_weights_1 up_grouped/fq_weights_1",
    "concat_of_convolutions": (
        "branch_1/fq_weights_1 branch_2/fq_weights_1 conv_1/fq_weights_1 image/fq_output_0 relu_1/fq_output_0 "
        "relu_2/fq_output_0"
    ),
    "concat_read_by_add": (
        "branch_1/fq_input_0 branch_1/fq_weights_1 branch_2/fq_input_0 branch_2/fq_weights_1 relu_1/fq_output_0 "
        "relu_2/fq_output_0 sigmoid/fq_output_0"
    ),
    "concat_of_concat": (
        "conv_a/fq_weights_1 conv_b/fq_weights_1 conv_c/fq_weights_1 conv_d/fq_weights_1 image/fq_output_0 "
        "relu_a/fq_output_0 relu_b/fq_output_0 relu_c/fq_output_0"
    ),
    "concat_that_is_also_an_output": (
        "branch_1/fq_weights_1 branch_2/fq_weights_1 conv_1/fq_input_0 conv_1/fq_weights_1 image/fq_output_0"
    ),
    "squeeze_and_excitation": (
        "conv_1/fq_weights_1 conv_2/fq_weights_1 excite/fq_output_0 gate/fq_output_0 image/fq_output_0 "
        "relu_1/fq_output_0"
    ),
    "squeeze_and_excitation_of_swish": (
        "conv_1/fq_weights_1 conv_2/fq_weights_1 excite/fq_output_0 gate/fq_output_0 image/fq_output_0 "
        "swish_1/fq_output_0"
    ),
    "hard_swish": "conv_1/fq_weights_1 conv_2/fq_weights_1 image/fq_output_0 over_6/fq_output_0",
    "hard_swish_operation": "conv_1/fq_weights_1 depthwise/fq_weights_1 hswish/fq_output_0 image/fq_output_0",
    "elementwise_with_constants": (
        "abs/fq_output_0 conv_1/fq_weights_1 conv_2/fq_weights_1 image/fq_output_0 power/fq_output_0 sqrt/fq_output_0"
    ),
    "elementwise_of_inputs": (
        "a/fq_output_0 abs/fq_output_0 exp/fq_output_0 greater/fq_input_1 product/fq_input_1 product/fq_output_0 "
        "quotient/fq_output_0 sum/fq_input_1 sum/fq_output_0"
    ),
    "fully_connected": "fc_1/fq_weights_1 fc_2/fq_weights_1 relu_1/fq_output_0 x/fq_output_0",
    "matmul_layouts": (
        "batched/fq_weights_1 left/fq_weights_0 relu_1/fq_output_0 relu_2/fq_output_0 relu_3/fq_output_0 "
        "right/fq_weights_1 vector/fq_weights_1 x/fq_output_0"
    ),
    "attention": (
        "beta/fq_output_0 head/fq_weights_1 key/bias/fq_output_0 key/fc/fq_weights_1 mix/fq_output_0 "
        "out/bias/fq_output_0 out/fc/fq_weights_1 query/bias/fq_output_0 query/fc/fq_weights_1 residual/fq_output_0 "
        "softmax/fq_output_0 value/bias/fq_output_0 value/fc/fq_weights_1 x/fq_output_0"
    ),
    "fused_attention": (
        "attention/fq_output_0 key/fq_output_0 key/fq_weights_1 out/fq_weights_1 query/fq_output_0 "
        "query/fq_weights_1 value/fq_weights_1 x/fq_output_0"
    ),
    "shared_weight": "a/fq_output_0 b/fq_output_0 conv_0/fq_weights_1 relu_0/fq_output_0 relu_1/fq_output_0",
    "embedding": "embedding/fq_weights_0 fc/fq_weights_1 with_positions/fq_output_0",
    "embedding_read_by_matmul": "embedding/fq_weights_0 fc/fq_weights_1",
    "two_embeddings": "fc/fq_weights_1 norm/fq_output_0 sum/fq_output_0 types/fq_weights_0 words/fq_weights_0",
    "several_outputs": (
        "conv_1/fq_weights_1 conv_2/fq_input_0 conv_2/fq_weights_1 conv_3/fq_input_0 conv_3/fq_weights_1 "
        "image/fq_output_0"
    ),
    "several_inputs": (
        "a/fq_output_0 b/fq_output_0 conv_a/fq_weights_1 conv_b/fq_weights_1 relu_a/fq_output_0 relu_b/fq_output_0"
    ),
    "input_read_twice": "conv_1/fq_input_0 conv_1/fq_output_0 conv_1/fq_weights_1 sum/fq_input_1",
    "dynamic_shapes": (
        "conv_1/fq_weights_1 depthwise/fq_weights_1 fc/fq_weights_1 image/fq_output_0 pool/fq_output_0 "
        "relu_1/fq_output_0 relu_2/fq_output_0"
    ),
    "arithmetic_on_shapes": (
        "conv_1/fq_weights_1 conv_2/fq_weights_1 image/fq_output_0 relu_1/fq_output_0 upsample/fq_output_0"
    ),
    "moved_values": (
        "conv_1/fq_weights_1 fc_1/fq_output_0 fc_1/fq_weights_1 fc_2/fq_weights_1 image/fq_output_0 relu_1/fq_output_0"
    ),
    "pooling": "avg_pool/fq_output_0 conv_1/fq_weights_1 conv_2/fq_weights_1 image/fq_output_0 relu_1/fq_output_0",
    "split_into_branches": "conv_1/fq_weights_1 conv_a/fq_input_0 conv_a/fq_weights_1 image/fq_output_0",
    "split_read_by_convolutions": (
        "conv_1/fq_weights_1 image/fq_output_0 part_0/fq_weights_1 part_1/fq_weights_1 relu_1/fq_output_0"
    ),
    "swish_and_sum_split": "conv_1/fq_weights_1 image/fq_output_0 swish/fq_output_0",
    "pad_and_slice": (
        "conv_1/fq_weights_1 conv_2/fq_weights_1 conv_3/fq_weights_1 image/fq_output_0 relu_1/fq_output_0 "
        "slice/fq_output_0"
    ),
    "branch_left_in_float": (
        "conv_1/fq_weights_1 conv_2/fq_input_0 conv_2/fq_output_0 conv_2/fq_weights_1 erf/fq_output_0 image/fq_output_0"
    ),
    "detection_head": "conv_1/fq_weights_1 conv_2/fq_weights_1 image/fq_output_0 relu_1/fq_output_0",
    "detection_boxes": (
        "aside/fq_input_0 conv_1/fq_weights_1 conv_boxes/fq_input_0 conv_boxes/fq_weights_1 conv_scores/fq_input_0 "
        "conv_scores/fq_weights_1 gate/fq_output_0 image/fq_output_0"
    ),
    "largest_value_read_by_a_layer": (
        "fc_1/fq_weights_1 fc_2/fq_weights_1 softmax/fq_output_0 tanh/fq_output_0 x/fq_output_0"
    ),
    "recurrent": (
        "fc/fq_weights_1 lstm/fq_output_0 lstm/fq_weights_1 lstm/fq_weights_2 lstm/fq_weights_4 lstm/fq_weights_5 "
        "x/fq_output_0"
    ),
    "gated": "gru/fq_input_0 gru/fq_weights_1 gru/fq_weights_3 gru/fq_weights_4",
    "normalisations": (
        "conv_1/fq_output_0 conv_1/fq_weights_1 conv_2/fq_output_0 conv_2/fq_weights_1 image/fq_output_0 "
        "l2_scale/fq_output_0 reduce_l2/fq_output_0 relu_1/fq_output_0"
    ),
    "prelu_and_relu_of_sum": (
        "conv_1/fq_input_0 conv_1/fq_weights_1 conv_2/fq_weights_1 prelu/fq_output_0 relu_1/fq_output_0 "
        "sigmoid/fq_output_0"
    ),
    "equal_rows": "fc/fq_weights_1 mask_float/fq_output_0 masked/fq_input_0 masked/fq_output_0",
    "rotary": (
        "angle/fq_weights_0 cos/fq_output_0 key/fq_output_0 key/fq_weights_1 positions/fq_output_0 "
        "query/fq_weights_1 rotary/fq_output_0 rotated/fq_output_0 sin/fq_output_0 times_cos/fq_input_0 "
        "times_cos/fq_output_0 times_sin/fq_output_0 x/fq_output_0"
    ),
    "concat_of_embeddings": "fc/fq_weights_1 part_1/fq_weights_0 part_2/fq_weights_0",
    "embedding_also_in_float": "embedding/fq_weights_0 fc/fq_input_0 fc/fq_weights_1",
    "tied_embedding": "embedding/fq_weights_0 fc/fq_weights_1 tanh/fq_output_0",
    "fused_attention_beside_another_reader": (
        "attention/fq_input_0 attention/fq_input_1 attention/fq_output_0 out/fq_weights_1 side/fq_input_0 "
        "side/fq_weights_1"
    ),
    "decoder_state": "fc/fq_weights_1 past/fq_output_0 x/fq_output_0",
    "equal_after_relu": "conv_1/fq_weights_1 image/fq_output_0 mask/fq_output_0 relu_1/fq_output_0",
    "one_dimensional": (
        "conv_1/fq_weights_1 depthwise/fq_weights_1 relu_1/fq_output_0 relu_2/fq_output_0 signal/fq_output_0 "
        "up/fq_weights_1"
    ),
    "three_dimensional": "conv_1/fq_weights_1 conv_2/fq_weights_1 relu_1/fq_output_0 volume/fq_output_0",
    "bidirectional": (
        "fc/fq_weights_1 lstm/fq_output_0 lstm/fq_weights_1 lstm/fq_weights_2 lstm/fq_weights_4 lstm/fq_weights_5 "
        "x/fq_output_0"
    ),
    "gated_with_linear_before_reset": "fc/fq_weights_1 x/fq_output_0",
    "loop_over_time": "fc/fq_weights_1 loop/fq_output_0",
    "weight_read_by_convolution_and_sum": "conv_1/fq_weights_1 image/fq_output_0",
    "brain_float_weights": "conv_1/fq_weights_1 conv_2/fq_weights_1 image/fq_output_0 relu_1/fq_output_0",
    "resized": (
        "conv_1/fq_weights_1 conv_2/fq_weights_1 conv_3/fq_weights_1 image/fq_output_0 linear/fq_output_0 "
        "near/fq_output_0 relu_1/fq_output_0"
    ),
    "softplus_and_gelu": (
        "conv_1/fq_weights_1 conv_2/fq_weights_1 conv_3/fq_weights_1 conv_4/fq_weights_1 gelu/fq_output_0 "
        "image/fq_output_0 mish/fq_output_0 softplus/fq_output_0"
    ),
    "nothing_to_quantize": "",
}

# What the mixed preset adds: asymmetric activations cannot share the symmetric range of an embedding table.
MIXED = {
    "embedding_read_by_matmul": "embedding/fq_output_0",
    "two_embeddings": "types/fq_output_0 words/fq_output_0",
    "concat_of_embeddings": "part_1/fq_output_0 part_2/fq_output_0",
    "tied_embedding": "embedding/fq_output_0",
}

# What the model type "transformer" takes away, with either preset: residual sums and normalisations stay in float.
TRANSFORMER_WITHOUT = {
    "residual": "bias_2/fq_output_0 relu_1/fq_output_0",
    "residual_chain": (
        "bias_1b/fq_output_0 bias_2b/fq_output_0 bias_3b/fq_output_0 relu_0/fq_output_0 relu_1/fq_output_0 "
        "relu_2/fq_output_0 relu_3/fq_output_0"
    ),
    "depthwise_beside_pointwise": "depthwise/fq_output_0 pointwise/fq_output_0",
    "concat_read_by_add": "relu_1/fq_output_0 relu_2/fq_output_0 sigmoid/fq_output_0",
    "squeeze_and_excitation": "gate/fq_output_0 relu_1/fq_output_0",
    "squeeze_and_excitation_of_swish": "gate/fq_output_0 swish_1/fq_output_0",
    "elementwise_with_constants": "abs/fq_output_0 sqrt/fq_output_0",
    "elementwise_of_inputs": (
        "a/fq_output_0 abs/fq_output_0 exp/fq_output_0 greater/fq_input_1 product/fq_input_1 product/fq_output_0 "
        "quotient/fq_output_0 sum/fq_input_1 sum/fq_output_0"
    ),
    "attention": "out/bias/fq_output_0 residual/fq_output_0 softmax/fq_output_0 value/bias/fq_output_0 x/fq_output_0",
    "shared_weight": "relu_0/fq_output_0 relu_1/fq_output_0",
    "two_embeddings": "sum/fq_output_0",
    "several_inputs": "relu_a/fq_output_0 relu_b/fq_output_0",
    "input_read_twice": "conv_1/fq_output_0 sum/fq_input_1",
    "dynamic_shapes": "relu_2/fq_output_0",
    "pooling": "relu_1/fq_output_0",
    "swish_and_sum_split": "swish/fq_output_0",
    "branch_left_in_float": "conv_2/fq_output_0 erf/fq_output_0",
    "detection_boxes": "aside/fq_input_0 gate/fq_output_0",
    "largest_value_read_by_a_layer": "tanh/fq_output_0",
    "recurrent": "lstm/fq_output_0",
    "normalisations": "conv_1/fq_output_0 conv_2/fq_output_0 reduce_l2/fq_output_0",
    "prelu_and_relu_of_sum": "prelu/fq_output_0 sigmoid/fq_output_0",
    "equal_rows": "mask_float/fq_output_0 masked/fq_input_0",
    "rotary": (
        "angle/fq_weights_0 cos/fq_output_0 positions/fq_output_0 rotated/fq_output_0 sin/fq_output_0 "
        "times_cos/fq_input_0 times_cos/fq_output_0 times_sin/fq_output_0"
    ),
    "equal_after_relu": "mask/fq_output_0 relu_1/fq_output_0",
}

# What it puts in their place.
TRANSFORMER_INSTEAD = {
    "residual": "conv_2/fq_input_0",
    "residual_chain": "conv_1a/fq_input_0 conv_2a/fq_input_0 conv_3a/fq_input_0",
    "attention": "key/fc/fq_input_0 query/fc/fq_input_0 value/fc/fq_input_0",
    "recurrent": "squeeze/fq_output_0",
}
