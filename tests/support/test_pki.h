/*
 * Keys and certificates made for the tests with openssl(1): a root, an
 * intermediate under it, a leaf that may sign (P-384) and one that may not.
 * Valid for a hundred years from 2026. They protect nothing.
 */
#ifndef SUPPORT_TEST_PKI_H
#define SUPPORT_TEST_PKI_H

#define TEST_ROOT_PEM                                                                              \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBizCCATKgAwIBAgIUatAsOSiewd4StYKeEHhlK4brOHgwCgYIKoZIzj0EAwIw\n"                           \
    "FDESMBAGA1UEAwwJVGVzdCByb290MCAXDTI2MTEyNTE3MzMxN1oYDzIxMjYxMTAx\n"                           \
    "MTczMzE3WjAUMRIwEAYDVQQDDAlUZXN0IHJvb3QwWTATBgcqhkjOPQIBBggqhkjO\n"                           \
    "PQMBBwNCAARDhvJrfIQfQxEdETtHhQcHMQO8kh0LHdjKPxtM4+E8lLWFyJS1yfmB\n"                           \
    "ROmV0IfK+IZRExuCLT8XLhqh6N7IWjePo2AwXjAdBgNVHQ4EFgQUiH8cJlnBat6s\n"                           \
    "nSp/jBsOHRcje0cwHwYDVR0jBBgwFoAUiH8cJlnBat6snSp/jBsOHRcje0cwDwYD\n"                           \
    "VR0TAQH/BAUwAwEB/zALBgNVHQ8EBAMCAgQwCgYIKoZIzj0EAwIDRwAwRAIgBLEi\n"                           \
    "0bLhiYukZtFP+PnQW+8aQK8G1G9ywGDPHcK5SjgCIA2Q7b4kct5hHcmDSqSClJ1M\n"                           \
    "M4nSebtLqwj4M2+Zb1ds\n"                                                                       \
    "-----END CERTIFICATE-----\n"

#define TEST_MIDDLE_PEM                                                                            \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBgDCCASegAwIBAgIBAjAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlUZXN0IHJv\n"                           \
    "b3QwIBcNMjYxMTI1MTczMzE3WhgPMjEyNjExMDExNzMzMTdaMBwxGjAYBgNVBAMM\n"                           \
    "EVRlc3QgaW50ZXJtZWRpYXRlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUEWh\n"                           \
    "OWbeCRin8QS1UmiV5OJ2+DG7uMHH56i8GrdiswIG0rgtc5VQsMmpIpGjNwOWqT5U\n"                           \
    "B+13PpKkaGZZKJJw/KNgMF4wDwYDVR0TAQH/BAUwAwEB/zALBgNVHQ8EBAMCAgQw\n"                           \
    "HQYDVR0OBBYEFDJWL3PO4k/3wp+MJBKbXAjdkyv5MB8GA1UdIwQYMBaAFIh/HCZZ\n"                           \
    "wWrerJ0qf4wbDh0XI3tHMAoGCCqGSM49BAMCA0cAMEQCIC9Ey9QzyPsoctwSyrNH\n"                           \
    "v+0VGouE4SL4IlC0rGmrk7MsAiAG/5tI4ieFo9UtNIZtB1Q7zHBvWFQzBVxshhAc\n"                           \
    "kZA3jw==\n"                                                                                   \
    "-----END CERTIFICATE-----\n"

#define TEST_LEAF_PEM                                                                              \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBmzCCAUKgAwIBAgIBAzAKBggqhkjOPQQDAjAcMRowGAYDVQQDDBFUZXN0IGlu\n"                           \
    "dGVybWVkaWF0ZTAgFw0yNjExMjUxNzMzMTdaGA8yMTI2MTEwMTE3MzMxN1owIzES\n"                           \
    "MBAGA1UEAwwJVGVzdCBsZWFmMQ0wCwYDVQQKDARBLCBCMHYwEAYHKoZIzj0CAQYF\n"                           \
    "K4EEACIDYgAEORB40r6uCZWlLyHHrlMXA5wFceCIwyoxc2vRc91WKjI7NckJpEjp\n"                           \
    "fAbpSB1HqPspVovYyYbJqgHUQfL8rFTyfmafxDU0JfIWhhMeLZwtFpJmxaATHQjx\n"                           \
    "oeK8wB9Unufeo08wTTALBgNVHQ8EBAMCB4AwHQYDVR0OBBYEFLGDQcu9UzyPWp0S\n"                           \
    "drmDteY5G/rMMB8GA1UdIwQYMBaAFDJWL3PO4k/3wp+MJBKbXAjdkyv5MAoGCCqG\n"                           \
    "SM49BAMCA0cAMEQCIGwjBZq5kYXnnE6Y0CcYH71oWnsHdFpSx7bKLKcGU5VbAiBc\n"                           \
    "f+ov4vsVV8COI8L8nFV+EP6e+VkpCWLfvwzR2Ktr4g==\n"                                               \
    "-----END CERTIFICATE-----\n"

#define TEST_LEAF_KEY                                                                              \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDD2BmrWMvHMiCPcMVUF\n"                           \
    "IxgPkxOeYXbivR333E+g8HDfviNYxVl2t3RalLXx8pdEiQahZANiAAQ5EHjSvq4J\n"                           \
    "laUvIceuUxcDnAVx4IjDKjFza9Fz3VYqMjs1yQmkSOl8BulIHUeo+ylWi9jJhsmq\n"                           \
    "AdRB8vysVPJ+Zp/ENTQl8haGEx4tnC0WkmbFoBMdCPGh4rzAH1Se594=\n"                                   \
    "-----END PRIVATE KEY-----\n"

#define TEST_NO_SIGNING_PEM                                                                        \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBnjCCAUSgAwIBAgIBBDAKBggqhkjOPQQDAjAcMRowGAYDVQQDDBFUZXN0IGlu\n"                           \
    "dGVybWVkaWF0ZTAgFw0yNjExMjUxNzMzMTdaGA8yMTI2MTEwMTE3MzMxN1owJTEU\n"                           \
    "MBIGA1UEAwwLVGVzdCBub3NpZ24xDTALBgNVBAoMBEEsIEIwdjAQBgcqhkjOPQIB\n"                           \
    "BgUrgQQAIgNiAARswWj2UcScFxux4L30jJ3YcWL4V3/sn9wvSBP3X5Am2cpkzOJs\n"                           \
    "uAjHXO+8vGPeJ2u8SOWR4g/tEvsGnVcMu+0P5ZVYNCjWa0duPuoNdrjsUYrqvqF1\n"                           \
    "IFFcDDWleQaLAR6jTzBNMAsGA1UdDwQEAwIFIDAdBgNVHQ4EFgQUsdyXoWGuRbTZ\n"                           \
    "8ZGq0Awew7igbrwwHwYDVR0jBBgwFoAUMlYvc87iT/fCn4wkEptcCN2TK/kwCgYI\n"                           \
    "KoZIzj0EAwIDSAAwRQIgad7od8VDiHK+6tUkVIHw4ql5idMx21xo1bHC2Djg9acC\n"                           \
    "IQCcaKJAd6Ny/WdSjx9ek/NfXAhv+86ek9N9u0Kb6CAwIw==\n"                                           \
    "-----END CERTIFICATE-----\n"

#define TEST_P256_KEY                                                                              \
    "-----BEGIN EC PRIVATE KEY-----\n"                                                             \
    "MHcCAQEEIJWazoyCFdRb+7pRHQuwcwK8GhcjJCFH75CVyT+IloWDoAoGCCqGSM49\n"                           \
    "AwEHoUQDQgAEj7uZH1AVbAY4NLWQ23oKIp/xMaHqpf+KCKLiLkqBzXpJteMkrIsm\n"                           \
    "y0G39rb2SsW8Xqy5JpFeJF/qOURzJWT0yQ==\n"                                                       \
    "-----END EC PRIVATE KEY-----\n"

#define TEST_P521_KEY                                                                              \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIArDqrPIe4jN9ZpeDa\n"                           \
    "17W4Scfah2JnkDM23uOfYwlZFqOBsRtjW7V5OtW2hJPfpTME7DqEznmvPC91tXJb\n"                           \
    "6PaF5HKhgYkDgYYABAH5c5BUiWKL6OLuRzi+qVVmpyECr5dED5JzzjUpdthzCG/9\n"                           \
    "jLArSF/yylwgUEad7QFduSAN6bMyIWAjbbP4AlOdywFBfzO9S3JIRCivLg8oq31h\n"                           \
    "DN02MjrEw795/5Wyg39pnPl9Fi2dh+hvJxnekBVZAiOGQGLYcypNv+Wk15IFKW/u\n"                           \
    "Gg==\n"                                                                                       \
    "-----END PRIVATE KEY-----\n"

#define TEST_SECP256K1_PUBLIC                                                                      \
    "-----BEGIN PUBLIC KEY-----\n"                                                                 \
    "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEcUJScX8VL2XTd5F1QbO7X6OzD9Na66M5\n"                           \
    "c0Bh1xJt2yKCkdNh8iofQkpBRW7FJE86h9Twr3+Q9jH1zAKR5gUhJA==\n"                                   \
    "-----END PUBLIC KEY-----\n"

#endif
