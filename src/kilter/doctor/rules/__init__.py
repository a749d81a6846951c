"""All rules, in the order of what is most certain and nearest to the root: of two findings the earlier names the cause."""

from kilter.doctor.rule import Rule
from kilter.doctor.rules.course import (
    batch_too_large,
    class_imbalance,
    death_by_seed,
    diverged,
    dropout_too_high,
    few_updates,
    first_steps,
    norm_statistics,
    oscillating_loss,
    over_regularized,
    overfitting,
    plateau,
    rate_too_high,
    rate_too_low,
    underfitting,
)
from kilter.doctor.rules.design import (
    decayed_norms,
    dropout_before_norm,
    linear_stack,
    loss_for_numbers,
    negative_rate,
    no_updates,
    output_out_of_reach,
    softmax_of_one,
    squashed_inside,
    squashed_twice,
    tiny_batches,
    useless_bias,
)
from kilter.doctor.rules.rows import (
    badly_scaled_input,
    badly_scaled_target,
    constant_inputs,
    input_not_finite,
    label_noise,
    labels_disagree,
    leaked_validation,
    not_shuffled,
    one_class,
    outliers,
)
from kilter.doctor.rules.start import (
    born_dead,
    exploding_signal,
    frozen_layer,
    rank_collapse,
    saturated_units,
    symmetric_units,
    vanishing_gradient,
    weights_too_large,
    weights_too_small,
)

ALL: tuple[Rule, ...] = (
    *(negative_rate, no_updates, one_class, input_not_finite, softmax_of_one, squashed_twice, output_out_of_reach),
    *(
        exploding_signal,
        diverged,
        first_steps,
        symmetric_units,
        linear_stack,
        labels_disagree,
        label_noise,
        class_imbalance,
    ),
    *(badly_scaled_target, over_regularized, dropout_too_high, rate_too_high, badly_scaled_input),
    *(weights_too_large, weights_too_small, saturated_units, squashed_inside, born_dead, vanishing_gradient),
    *(death_by_seed, rank_collapse, loss_for_numbers, not_shuffled, rate_too_low, oscillating_loss),
    *(batch_too_large, few_updates, overfitting, plateau, tiny_batches, norm_statistics, dropout_before_norm, outliers),
    *(frozen_layer, constant_inputs, leaked_validation, underfitting, useless_bias, decayed_norms),
)

__all__ = ["ALL", *(each.name for each in ALL)]
