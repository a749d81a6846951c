"""How XLA compiles Kilter's programs on a CPU: quickly, or to run fast."""

# What runs for less time than it compiles. Without LLVM's optimizations, with XLA's older kernels, a program is ready in a
# third of the time. Its updates take two to four times as long.
QUICKLY = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
# What LLVM does beyond its first level takes half of all compiling and makes no network faster. With XLA's older kernels
# in place of its newer ones, its default, small networks take 1.3 times as long.
DRAWING = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": True}
# Whole vectors where the processor has them: 6 to 8 % faster small networks than with XLA's own choice of half of them. And
# of XLA's two libraries YNNPACK for products alone: Eigen's convolutions take half of its time (5.0 and 9.7 ms for 32 to 64
# channels at 14 x 14, 128 rows).
TRAINING = DRAWING | {
    "xla_cpu_prefer_vector_width": 512,
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
}
# A lone call finds YNNPACK's threads asleep: 1,000 rows through 64-128-128-10 take 570 us with its products and 374 with
# Eigen's.
ANSWERING = TRAINING | {"xla_cpu_experimental_ynn_fusion_type": ""}
