/*
 * What a Keras configuration makes a loader import and call. Layers are named
 * by class and module; a Lambda layer carries the bytecode of a function, and
 * a module outside Keras is imported by its name.
 * keras/src/saving/serialization_lib.py; CVE-2024-3660, CVE-2025-1550,
 * CVE-2025-8747, CVE-2025-9905, CVE-2025-9906, CVE-2025-12058, CVE-2025-49655,
 * CVE-2026-1462.
 */
#include "model/keras.h"

#include <string.h>

#include "assay/base/text.h"

enum { SHOWN = 120, CONFIG_MOST = 64 << 20 };

struct judge {
    const struct content *c;
    uint64_t at; /* of the text */
    size_t findings;
};

/* Classes that Keras has and has had: layers, models, optimisers, losses, metrics, the rest. */
static const char *const classes[] = {
    "Sequential Model Functional InputLayer Input Dense EinsumDense Activation Embedding Masking "
    "Flatten Reshape Permute RepeatVector Identity Dropout SpatialDropout1D SpatialDropout2D "
    "SpatialDropout3D GaussianDropout GaussianNoise AlphaDropout ActivityRegularization",
    "Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose Convolution1D "
    "Convolution2D SeparableConv1D SeparableConv2D DepthwiseConv1D DepthwiseConv2D "
    "LocallyConnected1D LocallyConnected2D MaxPooling1D MaxPooling2D MaxPooling3D "
    "AveragePooling1D AveragePooling2D AveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D "
    "GlobalMaxPooling3D GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D "
    "ZeroPadding1D ZeroPadding2D ZeroPadding3D Cropping1D Cropping2D Cropping3D UpSampling1D "
    "UpSampling2D UpSampling3D AdaptiveAveragePooling1D AdaptiveAveragePooling2D",
    "RNN SimpleRNN SimpleRNNCell LSTM LSTMCell GRU GRUCell StackedRNNCells ConvLSTM1D ConvLSTM2D "
    "ConvLSTM3D Bidirectional TimeDistributed Wrapper CuDNNLSTM CuDNNGRU LSTMV1 GRUV1 LSTMV2 GRUV2",
    "BatchNormalization BatchNormalizationV1 BatchNormalizationV2 LayerNormalization "
    "GroupNormalization UnitNormalization SpectralNormalization RMSNormalization Normalization "
    "MultiHeadAttention GroupedQueryAttention GroupQueryAttention Attention AdditiveAttention "
    "Add Subtract Multiply Average Maximum Minimum Concatenate Dot Merge Softmax ReLU LeakyReLU "
    "PReLU ELU ThresholdedReLU",
    "Rescaling Resizing CenterCrop RandomCrop RandomFlip RandomTranslation RandomRotation "
    "RandomZoom RandomHeight RandomWidth RandomContrast RandomBrightness StringLookup "
    "IntegerLookup TextVectorization Discretization CategoryEncoding Hashing HashedCrossing "
    "MelSpectrogram STFTSpectrogram TFOpLambda SlicingOpLambda ClassMethod GetItem Rescale "
    "DenseFeatures TensorFlowOpLayer",
    "GlorotUniform GlorotNormal HeUniform HeNormal LecunUniform LecunNormal Zeros Ones Constant "
    "RandomNormal RandomUniform TruncatedNormal VarianceScaling Orthogonal OrthogonalInitializer "
    "IdentityInitializer L1 L2 L1L2 OrthogonalRegularizer MaxNorm NonNeg UnitNorm MinMaxNorm",
    "SGD RMSprop Adam AdamW Adadelta Adagrad Adamax Nadam Ftrl Lion Lamb Adafactor Muon "
    "LossScaleOptimizer ExponentialDecay CosineDecay CosineDecayRestarts PiecewiseConstantDecay "
    "PolynomialDecay InverseTimeDecay",
    "BinaryCrossentropy CategoricalCrossentropy SparseCategoricalCrossentropy MeanSquaredError "
    "MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredLogarithmicError Huber LogCosh "
    "Poisson KLDivergence Hinge SquaredHinge CategoricalHinge CosineSimilarity "
    "BinaryFocalCrossentropy "
    "CategoricalFocalCrossentropy Dice Tversky CTC",
    "Accuracy BinaryAccuracy CategoricalAccuracy SparseCategoricalAccuracy TopKCategoricalAccuracy "
    "SparseTopKCategoricalAccuracy Precision Recall AUC TruePositives TrueNegatives FalsePositives "
    "FalseNegatives F1Score FBetaScore RootMeanSquaredError MeanIoU IoU BinaryIoU OneHotIoU "
    "OneHotMeanIoU Mean MeanMetricWrapper Sum R2Score SensitivityAtSpecificity "
    "SpecificityAtSensitivity PrecisionAtRecall RecallAtPrecision",
    "AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D "
    "AdaptiveMaxPooling3D AugMix AutoContrast CategoricalGeneralizedCrossEntropy Circle "
    "ConcordanceCorrelation ContrastLimitedAdaptiveHistogramEqualization CutMix "
    "Equalization LogCoshError MaxNumBoundingBoxes MixUp PearsonCorrelation RandAugment "
    "RandomColorDegeneration RandomColorJitter RandomElasticTransform RandomErasing "
    "RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective "
    "RandomPosterization RandomSaturation RandomSharpness RandomShear ReversibleEmbedding "
    "STFT ScheduleFreeAdamW Solarization",
    /* keras.ops, as layers of a functional model; those that take functions are left out */
    "Abs Absolute AdaptiveAveragePool AdaptiveMaxPool AffineTransform All AllClose Amax "
    "Amin Angle Any Append Arange Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 Arctanh "
    "Argmax Argmin Argpartition Argsort Array ArraySplit AveragePool BatchNorm Bincount "
    "BitwiseAnd BitwiseInvert BitwiseLeftShift BitwiseNot BitwiseOr BitwiseRightShift "
    "BitwiseXor BroadcastTo CDist CTCDecode CTCLoss Cast Cbrt Ceil Celu Cholesky "
    "CholeskyInverse Clip Conj Conjugate Conv ConvTranspose ConvertToTensor Copy Corrcoef "
    "Correlate Cos Cosh CountNonzero CropImages Cross Cumprod Cumsum Deg2rad DepthToSpace "
    "DepthwiseConv Det Diag Diagflat Diagonal Diff Digitize Divide DivideNoNan "
    "DotProductAttention Dsplit Dstack Eig Eigh Einsum ElasticTransform Elu EmptyLike "
    "Equal Erf Erfc Erfinv Exp Exp2 ExpandDims Expm1 ExtractPatches ExtractSequences FFT "
    "FFT2 Fabs Flip Fliplr Flipud Floor FloorDivide Fmax Fmin Fmod Fold Full FullLike "
    "GaussianBlur Gcd Gelu Geomspace Glu Greater GreaterEqual HSVToRGB HardShrink "
    "HardSigmoid HardSilu HardTanh Heaviside Histogram Hsplit Hstack Hypot I0 IFFT2 IRFFT "
    "ISTFT Imag InTopK Inner Inv IsIn Isclose Isfinite Isinf Isnan Isneginf Isposinf "
    "Isreal Kron LayerNorm Lcm Ldexp LeakyRelu LeftShift Less LessEqual Linspace Log "
    "Log10 Log1p Log2 LogSigmoid LogSoftmax Logaddexp Logaddexp2 Logdet LogicalAnd "
    "LogicalNot LogicalOr LogicalXor Logspace Logsumexp Lstsq LuFactor MapCoordinates "
    "Matmul MatrixRank Max MaxPool Median Meshgrid Min Mod Moments Moveaxis MultiHot "
    "NanToNum Nanargmax Nanargmin Nancumprod Nancumsum Nanmax Nanmean Nanmedian Nanmin "
    "Nanpercentile Nanprod Nanquantile Nanstd Nansum Nanvar Ndim Negative Nextafter "
    "Nonzero Norm Normalize NotEqual OneHot OnesLike Outer PSNR Pad PadImages Percentile "
    "PerspectiveTransform Pinv Polar Power Prod Ptp Qr Quantile RFFT RGBToGrayscale "
    "RGBToHSV RMSNorm Rad2deg Ravel Real Rearrange Reciprocal Relu Relu6 Repeat Resize "
    "RightShift Roll Rot90 Round Rsqrt SSIM STFT SVD SaturateCast ScaleAndTranslate "
    "Scatter ScatterUpdate SearchSorted SegmentMax SegmentMin SegmentProd "
    "SegmentReduction SegmentSum Select Selu SeparableConv Sigmoid Sign Signbit Silu Sin "
    "Sinc Sinh Size Slice SliceUpdate Slogdet SobelEdges SoftShrink Softplus Softsign "
    "Solve SolveTriangular Sort SpaceToDepth SparsePlus SparseSigmoid Sparsemax Split "
    "Sqrt Square Squareplus Squeeze Stack Std StopGradient Swapaxes Take TakeAlongAxis "
    "Tan Tanh TanhShrink Tensordot Threshold Tile TopK Trace Transpose Trapezoid Tril "
    "Triu TrueDivide Trunc Unfold Unique UnravelIndex Unstack Vander Var Vdot View "
    "ViewAsComplex ViewAsReal Vsplit Vstack Where ZerosLike",
    "DTypePolicy Policy DTypePolicyMap QuantizedDTypePolicy FloatDTypePolicy CompileLossFromConfig "
    "KerasTensor __tensor__ __numpy__ __tuple__ __ellipsis__ __typespec__ __keras_tensor__ "
    "TensorShape __bytes__ __set__ __dict__ slice __slice__",
    NULL};

static bool is_class(struct span name)
{
    for (size_t i = 0; classes[i]; i++)
        if (span_among(name, classes[i]))
            return true;
    return false;
}

static bool within(struct span module, const char *parent)
{
    size_t n = strlen(parent);
    return span_starts(module, parent) && (module.n == n || module.p[n] == '.');
}

static bool is_keras(struct span module)
{
    static const char *const roots[] = {
        "keras",     "tf_keras",  "tensorflow.keras", "tensorflow.python.keras",
        "keras_hub", "keras_nlp", "keras_cv",         "keras_core"};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        if (within(module, roots[i]))
            return true;
    return false;
}

static void note(struct judge *j, enum rule_id rule, struct json v, const char *what, struct span a,
                 struct span b)
{
    char x[SHOWN], y[SHOWN];
    text_shown(x, sizeof x, a);
    text_shown(y, sizeof y, b);
    j->findings++;
    content_note(j->c, rule, j->at + json_offset(v), 0, "%s \"%s\"%s%s%s", what, x,
                 b.n ? " of module \"" : "", b.n ? y : "", b.n ? "\"" : "");
}

/* Functions of Keras itself that fetch, load, unpack or switch the safety off. */
static bool reaches_out(struct span module)
{
    static const char *const parts[] = {"utils", "config", "saving", "models", "backend"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (size_t at = 0; at + 1 < module.n; at++)
            if (module.p[at] == '.' && within(span_sub(module, at + 1, module.n), parts[i]))
                return true;
    return false;
}

static bool package_known(struct span name)
{
    static const char *const known[] = {"Keras>",     "keras>",    "keras_hub>",
                                        "keras_nlp>", "keras_cv>", "builtins>"};
    if (!name.n || !memchr(name.p, '>', name.n))
        return true;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (span_starts(name, known[i]))
            return true;
    return false;
}

static void judge_class(struct judge *j, struct json v, struct span class)
{
    struct span module = SPAN_EMPTY, registered = SPAN_EMPTY, target = SPAN_EMPTY;
    struct json config = json_get(v, "config");
    bool has_module = json_string(json_get(v, "module"), &module);
    json_string(json_get(v, "registered_name"), &registered);
    json_string(config, &target);
    bool function = span_is(class, "function");
    if (span_is(class, "Lambda") || span_is(class, "__lambda__"))
        note(j, RULE_KERAS_LAMBDA, v, "a layer of class", class, module);
    else if (span_is(class, "TorchModuleWrapper") || span_is(class, "JaxLayer") ||
             span_is(class, "FlaxLayer") || span_is(class, "TFSMLayer"))
        note(j, RULE_KERAS_WRAPPER, v, "a layer of class", class, module);
    else if (has_module && !is_keras(module) && !(span_is(module, "builtins") && !function))
        note(j, RULE_KERAS_MODULE, v, function ? "the function" : "the class",
             function ? target : class, module);
    else if ((function || !is_class(class)) && has_module && reaches_out(module))
        note(j, RULE_KERAS_MODULE, v, function ? "the function" : "what is called",
             function ? target : class, module);
    else if (!package_known(registered))
        note(j, RULE_KERAS_CUSTOM, v, "the class", registered, module);
    else if (!function && !has_module && !is_class(class))
        note(j, RULE_KERAS_CUSTOM, v, "the class", class, module);
    else if ((span_is(class, "StringLookup") || span_is(class, "IntegerLookup") ||
              span_is(class, "TextVectorization")) &&
             json_string(json_get(config, "vocabulary"), &target))
        note(j, RULE_KERAS_PATH, v, "the vocabulary is read from", target, SPAN_EMPTY);
}

/* Losses and metrics by name; a name that Keras does not have is code of somebody's own. */
static bool is_known_function(struct span s)
{
    static const char names[] =
        " mse mae mape msle mean_squared_error mean_absolute_error mean_absolute_percentage_error "
        "mean_squared_logarithmic_error binary_crossentropy categorical_crossentropy "
        "sparse_categorical_crossentropy binary_focal_crossentropy categorical_focal_crossentropy "
        "hinge squared_hinge categorical_hinge huber huber_loss log_cosh logcosh poisson "
        "kl_divergence kullback_leibler_divergence cosine_similarity cosine_proximity accuracy acc "
        "binary_accuracy categorical_accuracy sparse_categorical_accuracy "
        "top_k_categorical_accuracy precision recall auc bce cce kld crossentropy ce dice ctc ";
    for (const char *at = names; (at = memmem(at, strlen(at), s.p, s.n)); at++)
        if (at[-1] == ' ' && at[s.n] == ' ')
            return true;
    return is_class(s);
}

static void judge_names(struct judge *j, struct json v)
{
    struct span name;
    if (json_string(v, &name) && name.n && !is_known_function(name))
        note(j, RULE_KERAS_CUSTOM, v, "the loss or metric", name, SPAN_EMPTY);
    if (json_type(v) == JSON_ARRAY)
        for (struct json i = json_first(v); json_type(i); i = json_next(i))
            judge_names(j, i);
}

static void walk(struct judge *j, struct json v)
{
    struct span class;
    if (json_type(v) != JSON_OBJECT && json_type(v) != JSON_ARRAY)
        return;
    if (json_type(v) == JSON_OBJECT && json_string(json_get(v, "class_name"), &class))
        judge_class(j, v, class);
    for (struct json m = json_first(v); json_type(m); m = json_next(m)) {
        bool named = json_type(v) == JSON_OBJECT;
        struct span key = named ? json_key(m) : SPAN_EMPTY;
        if (span_is(key, "loss") || span_is(key, "metrics") || span_is(key, "weighted_metrics"))
            judge_names(j, m);
        walk(j, m);
    }
}

bool keras_judge(const struct content *c, struct span text, uint64_t at)
{
    struct judge j = {.c = c, .at = at};
    struct json root;
    struct err why = ERR_INIT;
    struct arena *a = arena_new((size_t)1 << 30);
    if (!a)
        return false;
    if (json_parse(&root, text, JSON_KEEP_DUPLICATES, a, &why)) {
        walk(&j, root);
    } else {
        content_note(c, RULE_KERAS_CONFIG, at, 0, "the configuration is no JSON: %s", why.text);
        content_incomplete(c);
    }
    arena_free(a);
    return why.code != ERR_MEMORY;
}

/* ---- .keras ---- */

static const struct archive_member *member(const struct archive *a, const char *name)
{
    for (size_t i = 0; i < a->count; i++)
        if (span_is(a->members[i].name, name))
            return &a->members[i];
    return NULL;
}

static bool judge_member(const struct content *c, const struct archive_member *m)
{
    struct content in;
    struct spool *spool;
    struct span text;
    struct err why = ERR_INIT;
    bool ok, done = content_member(&in, &spool, c, m, &ok);
    if (done && ok && in.in.size > CONFIG_MOST) {
        content_limit(&in, 0, "the configuration is longer than is read");
    } else if (done && ok) {
        done = input_load(&text, &in.in, 0, (size_t)in.in.size, c->m->arena, &why)
                   ? keras_judge(&in, text, 0)
                   : why.code != ERR_MEMORY;
    }
    spool_close(spool);
    return done;
}

bool keras_zip_examine(const struct content *c, const struct archive *a, bool *is_keras_file)
{
    const struct archive_member *config = member(a, "config.json");
    bool weights = member(a, KERAS_WEIGHTS) || member(a, "model.weights.npz");
    bool named = !*c->where && span_ends(span_str(c->m->files[c->file].name), ".keras");
    *is_keras_file = config && (member(a, "metadata.json") || weights || named);
    if (!*is_keras_file)
        return true;
    if (!*c->where)
        c->m->files[c->file].format = FORMAT_KERAS;
    /* Of two with this name, readers take one or the other. */
    for (size_t i = 0; i < a->count; i++)
        if (span_is(a->members[i].name, "config.json") && !judge_member(c, &a->members[i]))
            return false;
    return true;
}
