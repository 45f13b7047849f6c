import pytest
from guide_specs import LINEAR, program, told


def fit(*options: str) -> str:
    return "\n".join(["fit {", *options, "}"])


def test_settings_written_are_kept_and_no_others() -> None:
    block = fit(
        "steps = 200",
        "optimizer = ClippedAdam(lr = 0.02, clip_norm = 5)",
        "schedule = one_cycle",
        "averaging = false",
    )
    assert program(LINEAR, block).fit == {
        "steps": 200,
        "schedule": "one_cycle",
        "averaging": False,
        "optimizer": "ClippedAdam",
        "optimizer_options": {"lr": 0.02, "clip_norm": 5.0},
    }


def test_a_bare_optimizer_has_its_defaults() -> None:
    assert program(LINEAR, fit("optimizer = SGD")).fit == {"optimizer": "SGD"}


def test_no_block_sets_nothing() -> None:
    assert program(LINEAR).fit == {}


@pytest.mark.parametrize(
    ("option", "code", "remedy"),
    [
        ("stpes = 10", "PPL080", "did you mean `steps`?"),
        ("num_particles = 10", "PPL080", "did you mean `particles`?"),
        ("iterations = 10", "PPL080", "did you mean `steps`?"),
        ("lr = 0.1", "PPL080", "write `optimizer = Adam(lr = …)`"),
        ("learning_rate = 0.1", "PPL080", "write `optimizer = Adam(lr = …)`"),
        ("momentum = 0.1", "PPL080", "write `optimizer = SGD(momentum = …)`"),
        ("steps = 0", "PPL081", "write a value such as `5000`"),
        ("steps = 1.5", "PPL081", "write a value such as `5000`"),
        ('steps = "many"', "PPL081", "write a value such as `5000`"),
        ("schedule = cosin", "PPL081", "did you mean `cosine`?"),
        ("optimizer = Adan(lr = 0.1)", "PPL081", "did you mean `Adam`?"),
        ("optimizer = Adam(0.1)", "PPL081", "write `Adam(lr = 0.01)`"),
        ("optimizer = 0.1", "PPL081", "write `optimizer = Adam(lr = 0.01)`"),
        ("optimizer = Adam(lr = -1)", "PPL081", "write a value such as `0.02`"),
        (
            "optimizer = Adam(clip_norm = 1)",
            "PPL080",
            "it has `lr`, `betas`, `eps`, `weight_decay`, `amsgrad`, `decoupled_weight_decay`, "
            "`max_grad_norm`, `max_grad_value`",
        ),
        ("steps = 5; steps = 6", "PPL080", "keep one of the two"),
        ("optimizer = Adam; optimizer = SGD", "PPL080", "keep one of the two"),
    ],
)
def test_mistakes(option: str, code: str, remedy: str) -> None:
    assert [(c, r) for c, _, r in told(LINEAR, fit(option))] == [(code, remedy)]
