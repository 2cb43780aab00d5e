"""Folds, cross validation, estimators (scikit-learn as oracle) and search."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim, train
from minigrad.utils.data import DataLoader, TensorDataset


def data(n: int = 90) -> tuple[Any, Any]:
    x = mg.randn(n, 4, generator=mg.Generator().manual_seed(3))
    return x, (x.sum(1) > 0).long()


def make(lr: float = 0.02, epochs: int = 6) -> train.Trainer:
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    return train.Trainer(
        model, optim.Adam(model.parameters(), lr=lr), nn.CrossEntropyLoss(), max_epochs=epochs,
        metrics={"accuracy": train.accuracy},
    )  # fmt: skip


@pytest.mark.parametrize("name", ["KFold", "StratifiedKFold"])
@pytest.mark.parametrize("n_splits", [2, 3, 7])
@pytest.mark.parametrize("random_state", [None, 0, 41])
def test_folds_are_scikit_learns(name: str, n_splits: int, random_state: int | None) -> None:
    theirs = pytest.importorskip("sklearn.model_selection")
    options: dict = {"shuffle": random_state is not None, "random_state": random_state}
    rng = np.random.default_rng(n_splits)
    for n, classes in ((50, 3), (33, 2), (64, 5)):
        y = np.array(["e", "a", "d", "b", "c"])[np.arange(n) % classes]
        rng.shuffle(y)
        ours = list(getattr(train, name)(n_splits, **options).split(np.zeros(n), y))
        expected = list(getattr(theirs, name)(n_splits, **options).split(np.zeros(n), y))
        assert len(ours) == len(expected) == n_splits
        for a, b in zip(ours, expected):
            np.testing.assert_array_equal(a[0], b[0])
            np.testing.assert_array_equal(a[1], b[1])


def test_folds_without_an_oracle() -> None:
    y = np.array([0] * 12 + [1] * 6)
    tests = []
    for train_part, test_part in train.StratifiedKFold(3, shuffle=True).split(y, mg.tensor(y)):
        assert np.bincount(y[test_part]).tolist() == [4, 2]
        assert sorted([*train_part, *test_part]) == list(range(18))
        tests += test_part.tolist()
    assert sorted(tests) == list(range(18))
    mg.manual_seed(1)
    first = [test.tolist() for _, test in train.KFold(4, shuffle=True).split(y)]
    mg.manual_seed(1)
    assert first == [test.tolist() for _, test in train.KFold(4, shuffle=True).split(y)]


def test_errors_of_folds() -> None:
    with pytest.raises(ValueError, match="n_splits is 1"):
        train.KFold(1)
    with pytest.raises(ValueError, match="needed: shuffle=True"):
        train.KFold(random_state=3)
    with pytest.raises(ValueError, match="given 2 samples for 3 folds"):
        next(train.KFold(3).split([1, 2]))
    with pytest.raises(ValueError, match="given no y"):
        next(train.StratifiedKFold(3).split(range(5)))
    with pytest.raises(ValueError, match="no class has more than 2 samples"):
        next(train.StratifiedKFold(3).split(range(4), [0, 0, 1, 1]))
    with pytest.warns(UserWarning, match="the rarest class has 1 samples, fewer than 2 folds"):
        next(train.StratifiedKFold(2).split(range(4), [0, 0, 0, 1]))


def test_cross_validate() -> None:
    x, y = data()
    mg.manual_seed(0)
    seen = []

    def build(fold: int) -> train.Trainer:
        seen.append(fold)
        return make()

    scores = train.cross_validate(build, TensorDataset(x, y), 3, y, batch_size=10)
    assert seen == [0, 1, 2] and set(scores) == {"val_loss", "val_accuracy"}
    assert scores["val_accuracy"].shape == (3,) and scores["val_accuracy"].min() > 0.8
    pairs: Any = [(x[i], y[i]) for i in range(30)]
    folds = train.KFold(2, shuffle=True, random_state=0)
    assert len(train.cross_validate(lambda fold: make(), pairs, folds)["val_loss"]) == 2


@pytest.mark.parametrize("name", ["Classifier", "Regressor"])
def test_scikit_learns_own_checks(name: str) -> None:
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    # A sample twice and a sample of weight 2 come in other batches.
    apart = {"check_sample_weight_equivalence_on_dense_data": "batches are drawn at random"}
    results = checks.check_estimator(
        getattr(train, name)(lr=0.01, max_epochs=40), on_fail=None, expected_failed_checks=apart
    )
    failed = [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"]
    assert not failed and len(results) > 40


def test_weights_of_samples_and_classes() -> None:
    pytest.importorskip("sklearn")
    X = np.array([[0.0], [0.0], [1.0], [1.0]]).repeat(8, 0)
    y = np.array([0.0, 3.0, 1.0, 5.0]).repeat(8)
    weight = np.array([1.0, 2.0, 3.0, 1.0]).repeat(8)
    options = {"hidden_layer_sizes": (), "lr": 0.05, "max_epochs": 300, "random_state": 0}
    options["batch_size"] = 32
    fit = train.Regressor(**options).fit(X, y, sample_weight=weight)
    # Weighted means of each place.
    assert np.allclose(fit.predict([[0.0], [1.0]]), [2.0, 2.0], atol=0.02)
    assert np.allclose(
        fit.predict(X), train.Regressor(**options).fit(X, y, sample_weight=7 * weight).predict(X)
    )
    labels = (y > 2).astype(int)
    classes = train.Classifier(**options, class_weight={0: 3.0, 1: 1.0}).fit(X, labels)
    assert np.allclose(classes.predict_proba([[0.0]]), [[0.75, 0.25]], atol=0.02)
    with pytest.raises(ValueError, match="negative"):
        fit.fit(X, y, sample_weight=-weight)
    with pytest.raises(ValueError, match="reduction"):
        train.Regressor(criterion=lambda a, b: (a - b).mean()).fit(X, y, sample_weight=weight)


def test_partial_fit_goes_on() -> None:
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 3))
    y = np.where(X[:, 0] > X[:, 1], "left", "right")
    net = train.Classifier(lr=0.02, random_state=0)
    with pytest.raises(ValueError, match="classes"):
        net.partial_fit(X, y)
    net.partial_fit(X[:20], y[:20], classes=["left", "right", "up"])
    module = net.module_
    for _ in range(14):
        net.partial_fit(X, y)
    assert net.module_ is module and net.n_iter_ == len(net.history_) == 15
    assert net.score(X, y) > 0.95 and net.predict_proba(X).shape == (200, 3)
    copied = pickle.loads(pickle.dumps(net)).partial_fit(X, y)
    assert (copied.predict_proba(X) == net.partial_fit(X, y).predict_proba(X)).all()
    with pytest.raises(ValueError, match="down"):
        net.partial_fit(X[:1], ["down"])
    with pytest.raises(ValueError, match="early_stopping"):
        train.Regressor(early_stopping=True).partial_fit(X, X[:, 0])
    line = train.Regressor(hidden_layer_sizes=(), lr=0.1, random_state=0)
    for _ in range(20):
        line.partial_fit(X, X @ [1.0, 2.0, 3.0])
    assert line.score(X, X @ [1.0, 2.0, 3.0]) > 0.99


def test_classifier_in_a_pipeline_and_searches() -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    from sklearn.datasets import load_iris
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, numbers = load_iris(return_X_y=True)
    y = np.array(["setosa", "versicolor", "virginica"])[numbers]
    net = train.Classifier(lr=0.01, max_epochs=25, hidden_layer_sizes=(16,), random_state=0)
    scores = selection.cross_val_score(make_pipeline(StandardScaler(), net), X, y, cv=3)
    assert scores.min() > 0.85
    grid = selection.GridSearchCV(
        make_pipeline(StandardScaler(), net),
        {"classifier__lr": [1e-7, 0.01], "classifier__optimizer": ["SGD", optim.AdamW]}, cv=2,
    ).fit(X, y)  # fmt: skip
    assert grid.best_params_ == {"classifier__lr": 0.01, "classifier__optimizer": optim.AdamW}
    fitted = net.fit(X.astype(np.float32), y)
    assert next(fitted.module_.parameters()).dtype == mg.float32
    proba = fitted.predict_proba(X)
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-5)
    assert (fitted.classes_[proba.argmax(1)] == fitted.predict(X)).all()
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X), proba)


def test_estimators_take_modules_and_stop_early_and_leave_random_numbers() -> None:
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 3))
    Y = np.stack([X.sum(1), X[:, 0] - X[:, 1]], 1)
    before = mg.get_rng_state()
    net = train.Regressor(
        lambda i, o: nn.Linear(i, o),
        lr=0.05,
        max_epochs=300,
        random_state=1,
        early_stopping=True,
        n_iter_no_change=5,
        tol=1e-6,
    )
    assert net.fit(X, Y).score(X, Y) > 0.999 and net.predict(X).shape == (200, 2)
    assert net.n_iter_ < 300 and "val_loss" in net.history_[-1]
    assert (mg.get_rng_state() == before).all()
    network = nn.Linear(3, 1).double()
    start = network.weight.detach().clone()
    net = train.Regressor(network, optimizer=optim.SGD, lr=0.1, max_epochs=20).fit(X, Y[:, 0])
    assert net.predict(X).shape == (200,) and net.score(X, Y[:, 0]) > 0.99
    assert (network.weight == start).all()
    net = train.Classifier(early_stopping=True, max_epochs=3).fit(X, X[:, 0] > 0)
    assert net.predict(X).dtype == bool
    with pytest.raises(ValueError, match="validation_fraction is 2"):
        train.Classifier(early_stopping=True, validation_fraction=2).fit(X, X[:, 0] > 0)


def quick(trial: Any) -> tuple[train.Trainer, Any, Any]:
    mg.manual_seed(trial.number)
    x, y = data()
    loader = DataLoader(TensorDataset(x, y), batch_size=15, shuffle=True)
    lr = 0.02 if trial.number < 4 else trial.suggest_float("lr", 1e-6, 1e-1, log=True)
    trial.suggest_float("lr", 1e-6, 1e-1, log=True)
    return make(lr, 5), loader, loader


def test_search_ends_bad_trials(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = train.search(quick, 12, monitor="val_accuracy", mode="max", seed=0)
    states = [trial.state.name for trial in study.trials]
    assert len(states) == 12 and states[:3] == ["COMPLETE"] * 3 and "PRUNED" in states
    epochs = [trial.user_attrs["epochs"] for trial in study.trials]
    assert all((n < 5) == (state == "PRUNED") for n, state in zip(epochs, states) if n != 5)
    assert study.best_value > 0.85
    pruned = next(trial for trial in study.trials if trial.state.name == "PRUNED")
    assert max(pruned.intermediate_values.values()) < study.best_value


def test_search_goes_on_from_its_storage(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    where = {"storage": f"sqlite:///{tmp_path / 'study.db'}", "study_name": "a", "seed": 1}
    assert len(train.search(quick, 2, **where).trials) == 2
    assert len(train.search(quick, 3, **where).trials) == 3
    assert len(train.search(quick, 3, **where).trials) == 3


def test_infinite_losses_are_pruned() -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def build(trial: Any) -> tuple[train.Trainer, Any, Any]:
        trial.suggest_float("lr", 0, 1)
        model = nn.Linear(4, 1)
        x, _ = data()
        trainer = train.Trainer(
            model, optim.SGD(model.parameters(), lr=1e30), nn.MSELoss(), max_epochs=9
        )
        return trainer, [(x, x[:, :1])] * 9, [(x, x[:, :1])]

    study = train.search(build, 1, seed=0)
    assert [trial.state.name for trial in study.trials] == ["PRUNED"]


@pytest.mark.parametrize(
    ("use", "module", "extra"),
    [
        (lambda: train.Classifier, "sklearn.base", "sklearn"),
        (lambda: train.search(quick, 1), "optuna", "optuna"),
        (lambda: train.OptunaPruning(None), "optuna", "optuna"),
    ],
)
def test_missing_extras_are_named(
    use: Any, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "minigrad.train.estimator", raising=False)
    with pytest.raises(ImportError, match=rf'pip install "minigrad\[{extra}\]"'):
        use()
