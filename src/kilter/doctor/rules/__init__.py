"""All rules, in the order of what is most certain and nearest to the root: of two findings the earlier names the cause."""

from kilter.doctor.rule import Rule
from kilter.doctor.rules.divergence import diverged, first_steps
from kilter.doctor.rules.labels import class_imbalance, label_noise, labels_disagree, one_class
from kilter.doctor.rules.layers import linear_stack, squashed_inside
from kilter.doctor.rules.length import batch_too_large, few_updates
from kilter.doctor.rules.level import plateau, too_narrow, underfitting, unlearned_batch
from kilter.doctor.rules.norms import decayed_norms, dropout_before_norm, norm_statistics, tiny_batches, useless_bias
from kilter.doctor.rules.order import leaked_validation, not_shuffled
from kilter.doctor.rules.outputs import loss_for_numbers, output_out_of_reach, softmax_of_one, squashed_twice
from kilter.doctor.rules.rates import negative_rate, no_updates, oscillating_loss, rate_too_high, rate_too_low
from kilter.doctor.rules.regularization import dropout_too_high, over_regularized, overfitting
from kilter.doctor.rules.scales import (
    badly_scaled_input,
    badly_scaled_target,
    constant_inputs,
    input_not_finite,
    outliers,
)
from kilter.doctor.rules.signals import exploding_signal, frozen_layer, rank_collapse, vanishing_gradient
from kilter.doctor.rules.units import born_dead, death_by_seed, saturated_units
from kilter.doctor.rules.weights import loud_start, symmetric_units, weights_too_large, weights_too_small

ALL: tuple[Rule, ...] = (
    *(negative_rate, no_updates, one_class, input_not_finite, softmax_of_one, squashed_twice, output_out_of_reach),
    *(symmetric_units, exploding_signal, diverged, first_steps, linear_stack),
    *(labels_disagree, label_noise, class_imbalance),
    *(badly_scaled_target, over_regularized, dropout_too_high, too_narrow, rate_too_high, badly_scaled_input),
    *(saturated_units, weights_too_large, weights_too_small, squashed_inside, born_dead, vanishing_gradient),
    *(death_by_seed, rank_collapse, loss_for_numbers, not_shuffled, rate_too_low, oscillating_loss),
    *(batch_too_large, few_updates, overfitting, plateau, tiny_batches, norm_statistics, dropout_before_norm, outliers),
    *(
        loud_start,
        frozen_layer,
        constant_inputs,
        leaked_validation,
        unlearned_batch,
        underfitting,
        useless_bias,
        decayed_norms,
    ),
)

__all__ = ["ALL"]
