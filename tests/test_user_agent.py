"""What a user agent tells of an SDK, its version and its defaults: a table of real forms, and the odd ones."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.caller_advice import Fix
from analyzer.user_agent import (
    AWS_INTERNAL,
    BROWSER,
    LONGEST,
    TERRAFORM,
    UNKNOWN,
    Certainty,
    Client,
    parse_user_agent,
    sdk_defaults,
)

BOTO3_OLD = (
    "Boto3/1.28.57 md/Botocore#1.31.57 ua/2.0 os/linux#5.15.0-1045-aws md/arch#x86_64 lang/python#3.10.12 "
    "md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.31.57"
)
BOTO3_IN_LAMBDA = (
    "Boto3/1.40.61 md/Botocore#1.40.61 ua/2.1 os/linux#5.10.244 md/arch#x86_64 lang/python#3.12.11 "
    "md/pyimpl#CPython exec-env/AWS_Lambda_python3.12 m/Z,b,D,E cfg/retry-mode#legacy app/orders Botocore/1.40.61"
)
TERRAFORM_4 = (
    "APN/1.0 HashiCorp/1.0 Terraform/1.5.7 (+https://www.terraform.io) terraform-provider-aws/4.67.0 "
    "(+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go/1.44.261 (go1.19.8; linux; amd64)"
)
TERRAFORM_5 = (
    "[APN/1.0 HashiCorp/1.0 Terraform/1.11.4 (+https://www.terraform.io) terraform-provider-aws/5.98.0 "
    "(+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.36.3 ua/2.1 os/macos "
    "lang/go#1.23.8 md/GOOS#darwin md/GOARCH#arm64 api/sts#1.33.19 m/Z,g]"
)
DOTNET_NEW_FORM = (
    "aws-sdk-dotnet-coreclr/3.7.401.12 ua/2.0 os/windows#10.0.22631.0 md/ARCH#X64 lang/.NET_Core#8.0.2 "
    "md/aws-sdk-dotnet-core#3.7.500.8 api/STS#3.7.401.12 cfg/retry-mode#legacy md/ClientAsync"
)

TABLE = [
    (BOTO3_OLD, "boto3", "1.28.57", True),
    (BOTO3_IN_LAMBDA, "boto3", "1.40.61", False),
    ("Boto3/1.26.0 Python/3.9.5 Linux/4.14 Botocore/1.29.0", "boto3", "1.26.0", True),
    ("Botocore/1.39.4 ua/2.1 os/linux#6.1.0 lang/python#3.12.4", "botocore", "1.39.4", True),
    ("nightly-report/2.3 md/Botocore#1.31.57 ua/2.0 os/linux#5.15.0", "botocore", "1.31.57", True),
    ("aws-cli/1.29.57 Python/3.11.5 Linux/5.15.0 botocore/1.31.57", "aws-cli-1", "1.29.57", True),
    ("aws-cli/1.42.0 md/Botocore#1.40.0 ua/2.1 os/linux#6.1 m/E,b", "aws-cli-1", "1.42.0", False),
    ("aws-cli/2.27.50 md/awscrt#0.26.1 ua/2.1 os/linux#6.8.0 m/G,E,b,Z", "aws-cli-2", "2.27.50", False),
    ("aws-sdk-go/1.44.261 (go1.20.4; linux; amd64)", "aws-sdk-go-1", "1.44.261", True),
    ("aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.23.6 m/E,g", "aws-sdk-go-2", "1.36.3", False),
    ("aws-sdk-java/1.12.488 Linux/5.15.0 java/17.0.7 cfg/retry-mode/legacy", "aws-sdk-java-1", "1.12.488", True),
    ("aws-sdk-java/2.31.20 md/io#sync md/http#Apache ua/2.1 m/D,h", "aws-sdk-java-2", "2.31.20", False),
    ("aws-sdk-nodejs/2.1354.0 linux/v16.20.0 promise", "aws-sdk-js-2", "2.1354.0", True),
    ("aws-sdk-js/2.1692.0 promise", "aws-sdk-js-2", "2.1692.0", True),
    ("aws-sdk-js/3.632.0 ua/2.0 os/linux#5.10 lang/js md/nodejs#20.18.0", "aws-sdk-js-3", "3.632.0", False),
    ("aws-sdk-php/3.351.11 ua/2.1 OS/Linux#6.1.0 lang/php#8.2.29 GuzzleHttp/7", "aws-sdk-php", "3.351.11", True),
    ("aws-sdk-php/3.351.12 ua/2.1 OS/Linux#6.1.0 lang/php#8.2.29 GuzzleHttp/7", "aws-sdk-php", "3.351.12", False),
    ("aws-sdk-ruby3/3.91.1 ruby/2.7.0 x86_64-linux aws-sdk-core/3.91.1", "aws-sdk-ruby-3", "3.91.1", True),
    ("aws-sdk-ruby3/3.225.0 ua/2.1 api/sts#1.12 lang/ruby#3.3.8", "aws-sdk-ruby-3", "3.225.0", False),
    (
        "aws-sdk-dotnet-coreclr/3.7.108.0 aws-sdk-dotnet-core/3.7.108.2 .NET_Core/6.0.20 ClientAsync",
        "aws-sdk-dotnet-3",
        "3.7.108.2",
        True,
    ),
    (
        "aws-sdk-dotnet-coreclr/4.0.9.6 ua/2.1 os/linux#6.1.175 api/STS#4.0.9.6",
        "aws-sdk-dotnet-4",
        "4.0.9.6",
        False,
    ),
    (
        "AWSPowerShell.Common/4.1.90.0 .NET_Core/6.0.5 PowerShellCore/7.-1 ClientAsync",
        "aws-tools-for-powershell",
        "4.1.90.0",
        True,
    ),
    ("AWSPowerShell.Common/5.0.233.0 ua/2.1 os/windows", "aws-tools-for-powershell", "5.0.233.0", False),
    ("aws-sdk-rust/1.3.15 ua/2.1 api/sts/1.88.0 os/linux lang/rust/1.92.0", "aws-sdk-rust", "1.3.15", False),
    ("aws-sdk-kotlin/1.3.81 ua/2.1 api/sts#1.3.81 os/android", "aws-sdk-kotlin", "1.3.81", False),
    ("aws-sdk-swift/1.5.86 ua/2.1 api/sts#1.5.86 os/ios#18.3.1 m/D,Z,b", "aws-sdk-swift", "1.5.86", False),
    ("aws-sdk-cpp/1.11.352 ua/2.1 api/STS os/Linux#6.1.0", "aws-sdk-cpp", "1.11.352", None),
    (TERRAFORM_4, "aws-sdk-go-1", "1.44.261", True),
    (TERRAFORM_5, "aws-sdk-go-2", "1.36.3", False),
    ("python-requests/2.32.3", UNKNOWN, None, None),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", UNKNOWN, None, None),
]


@pytest.mark.parametrize(("text", "sdk", "version", "is_global"), TABLE)
def test_a_user_agent_tells_the_sdk_its_version_and_its_default(
    text: str, sdk: str, version: str | None, is_global: bool | None
) -> None:
    client = parse_user_agent(text)
    assert (client.sdk, client.version, client.global_by_default) == (sdk, version, is_global)


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        (TERRAFORM_4, TERRAFORM),
        (TERRAFORM_5, TERRAFORM),
        ("APN/1.0 HashiCorp/1.0 Terraform/1.5.6 aws-sdk-go/1.44.122 (go1.20.8; linux; amd64)", TERRAFORM),
        ("aws-cli/2.27.50 ua/2.1 md/command#sts.assume-role", "AWS CLI"),
        ("aws-sdk-nodejs/2.1586.0 linux/v20.15.1 aws-cdk/2.135.0 promise", "AWS CDK"),
        (
            "aws-sdk-nodejs/2.1396.0 linux/v16.16.0 configure-aws-credentials-for-github-actions promise",
            "GitHub Actions",
        ),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/138.0 Safari/537.36", BROWSER),
        ("signin.amazonaws.com", "signin.amazonaws.com"),
        ("cloudformation.amazonaws.com", "cloudformation.amazonaws.com"),
        ("AWS Internal", AWS_INTERNAL),
        ("aws-internal/3, sally-generated exec-env/AWS_Lambda_java8", AWS_INTERNAL),
        ("[S3Console/0.4, aws-internal/3 aws-sdk-java/1.11.991 Linux/4.9.230]", AWS_INTERNAL),
        (
            "aws-sdk-java/2.46.14 md/io#sync md/http#Apache md/internal ua/2.1 api/STS#2.46.x m/E,N,AJ",
            AWS_INTERNAL,
        ),
        ("not-a-service.amazonaws.com.evil.example", None),
        (BOTO3_OLD, None),
    ],
)
def test_a_user_agent_tells_the_tool_that_uses_the_sdk(text: str, tool: str | None) -> None:
    assert parse_user_agent(text).tool == tool


@pytest.mark.parametrize("text", [None, "", " ", "[]", "(", "/", "md/", "m/", "Boto3", "Boto3/"])
def test_a_text_without_an_sdk_version_tells_no_default(text: str | None) -> None:
    assert parse_user_agent(text).global_by_default is None


@pytest.mark.parametrize("version", ["x", "1..2", "v1.39", "-1.2", "1.2.3.4.5.6", "9" * 40, "١.٢"])
def test_an_odd_version_is_unknown_but_the_sdk_is_not(version: str) -> None:
    client = parse_user_agent(f"Boto3/{version} Botocore/1.31.57")
    assert (client.sdk, client.version, client.global_by_default) == ("boto3", None, None)


def test_an_odd_version_leaves_open_which_sdk_of_one_token_it_is() -> None:
    assert parse_user_agent("aws-sdk-java/latest").sdk == UNKNOWN


def test_a_major_version_the_table_does_not_know_is_unknown() -> None:
    assert parse_user_agent("aws-sdk-go/2.0.0-preview.2 (go1.9.6; darwin; amd64)") == Client()


@pytest.mark.parametrize(
    ("version", "is_global"),
    [
        ("1.9.0", True),
        ("1.39.99", True),
        ("1.40", False),
        ("1.40.0", False),
        ("1.100.0", False),
        ("1.40.0rc1", False),
    ],
)
def test_versions_compare_as_numbers(version: str, is_global: bool) -> None:
    assert parse_user_agent(f"Boto3/{version}").global_by_default is is_global


def test_the_core_of_the_dotnet_sdk_decides_not_the_package_of_the_service() -> None:
    client = parse_user_agent(DOTNET_NEW_FORM)
    assert (client.version, client.global_by_default) == ("3.7.500.8", False)


@pytest.mark.parametrize("features", ["N", "Z,N,b", "N,AJ", "E,N"])
def test_feature_n_is_an_endpoint_set_by_hand(features: str) -> None:
    assert parse_user_agent(f"Boto3/1.40.12 ua/2.1 m/{features} cfg/retry-mode#standard").has_endpoint_override


@pytest.mark.parametrize("features", ["", "n", "AN,NA", "Z,b", "NN"])
def test_other_features_that_hold_the_letter_n_are_none(features: str) -> None:
    assert not parse_user_agent(f"Boto3/1.40.12 ua/2.1 m/{features}").has_endpoint_override


@pytest.mark.parametrize("text", ["[aws-sdk-go-v2/1.36.3 ua/2.1 m/E,N]", "aws-sdk-go-v2/1.36.3 ua/2.1 m/E,N"])
def test_brackets_around_the_whole_user_agent_do_not_matter(text: str) -> None:
    client = parse_user_agent(text)
    assert (client.sdk, client.has_endpoint_override) == ("aws-sdk-go-2", True)


@pytest.mark.parametrize(
    "text",
    [
        "example/1.0 (Boto3/1.28.57)",
        "example/1.0 (compatible (Boto3/1.28.57) Boto3/1.28.57)",
        "example/1.0 [Boto3/1.28.57] more/1",
        "example/1.0 (never closed Boto3/1.28.57",
        "app/Boto3/1.28.57 exec-env/Boto3/1.28.57",
        "my-Boto3/1.28.57 Boto3-like/1.28.57",
    ],
)
def test_a_comment_or_a_longer_word_is_no_product(text: str) -> None:
    assert parse_user_agent(text).sdk == UNKNOWN


def test_a_product_ends_where_a_comment_begins() -> None:
    assert parse_user_agent("Boto3/1.28.57(patched) x/1").version == "1.28.57"


@pytest.mark.parametrize("excess", [0, 1, 5000])
def test_a_token_that_may_have_been_cut_is_not_read(excess: int) -> None:
    text = "x" * (LONGEST - len(" Boto3/1.4")) + " Boto3/1.4" + "0" * excess
    assert parse_user_agent(text).sdk == UNKNOWN


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0 \x1b[2J\x1b[31mBoto3/1.28.57\x1b[0m", "<script>alert('sts')</script>"]
)
def test_text_for_a_terminal_or_a_page_is_nothing_to_a_parser(text: str) -> None:
    assert parse_user_agent(text) == Client()


WORDS = st.sampled_from(
    [
        "Boto3/",
        "aws-sdk-java/",
        "AWSPowerShell",
        "1.40.0",
        "9" * 12,
        ".",
        "m/N",
        ",",
        "md/",
        "#",
        "(",
        ")",
        "[",
        "]",
    ]
)


@given(st.text() | st.lists(WORDS | st.characters() | st.just(" "), max_size=2000).map("".join))
def test_any_text_parses_to_bounded_plain_output(text: str) -> None:
    client = parse_user_agent(text)
    assert client.sdk in {UNKNOWN, *(row.sdk for row in sdk_defaults())}
    assert client.version is None or re.fullmatch(r"[0-9.]{1,60}", client.version)
    assert client.tool is None or re.fullmatch(r"[A-Za-z0-9 .-]{1,230}", client.tool)


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=4))
def test_the_table_covers_every_version_of_boto3_exactly_once(numbers: list[int]) -> None:
    version = ".".join(map(str, numbers))
    assert sum(row.token == "boto3" and row.covers(version) for row in sdk_defaults()) == 1


def test_every_row_of_the_table_has_a_source_and_a_fix() -> None:
    assert all(row.source and row.name and row.fix in set(Fix) for row in sdk_defaults())


def test_tokens_are_in_lower_case_as_they_are_compared() -> None:
    assert all(row.token == row.token.lower() for row in sdk_defaults())


def test_what_is_unconfirmed_gives_no_advice_of_its_own() -> None:
    unconfirmed = [row for row in sdk_defaults() if row.certainty is Certainty.UNCONFIRMED]
    assert all((row.global_by_default, row.fix) == (None, Fix.UNKNOWN) for row in unconfirmed)


def test_an_upgrade_names_a_version_that_is_regional_by_default() -> None:
    for old in (row for row in sdk_defaults() if row.fix == Fix.UPGRADE):
        new = [row for row in sdk_defaults() if row.token == old.token and row.covers(old.below_version)]
        assert [row.global_by_default for row in new] == [False]
