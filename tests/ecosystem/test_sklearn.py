"""scikit-learn: a model is a version, with the data that it was trained on."""

from __future__ import annotations

from typing import Any

from tests.ecosystem.conftest import Lake
from tests.ecosystem.libraries import needs

needs("joblib", "pandas", "sklearn")

import joblib
import numpy as np
import pandas as pd
import sklearn
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lakefs_hl


def train(reference: lakefs_hl.Reference, rows: slice) -> tuple[Any, float, Any]:
    """Train on some rows of the table of one version. Returns the model, its score and what it predicts."""
    with reference.open("iris.csv", "rb") as file:
        table = pd.read_csv(file)
    features, target = table.drop(columns="target"), table["target"]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    model.fit(features[rows], target[rows])
    return model, model.score(features, target), model.predict_proba(features)


def test_a_model_is_loaded_by_its_tag(lake: Lake) -> None:
    branch = lake.branch
    repository = lakefs_hl.repository(branch.repository_id)
    table: pd.DataFrame = load_iris(as_frame=True).frame
    branch.upload(table.to_csv(index=False), "iris.csv")
    data = branch.commit_changes("data")
    branch.upload("target\n", "iris.csv")
    branch.commit_changes("the branch moves")
    expected = {}
    for name, rows in (("v1", slice(0, 150, 2)), ("v2", slice(1, 150, 2))):
        model, score, expected[name] = train(data, rows)
        facts = {"score": f"{score:.3f}", "data": data.id, "scikit-learn": sklearn.__version__}
        with branch.transaction(f"train {name}", metadata=facts, tag=name) as tx:
            with tx.open("models/iris.joblib", "wb") as file:
                joblib.dump(model, file, compress=3)
    assert not np.array_equal(expected["v1"], expected["v2"])
    for name, probabilities in expected.items():
        tag = repository.tag(name)
        facts = tag.get_commit().metadata()
        assert float(facts["score"]) > 0.9
        assert facts["scikit-learn"] == sklearn.__version__
        with tag.open("models/iris.joblib", "rb") as file:
            model = joblib.load(file)
        with repository.commit(facts["data"]).open("iris.csv", "rb") as file:
            features = pd.read_csv(file).drop(columns="target")
        assert np.array_equal(model.predict_proba(features), probabilities)
