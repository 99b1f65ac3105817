"""Fills an MLflow server with the runs of the tests, with MLflow's own client, and says what it logged.

usage: MLFLOW_TRACKING_URI=http://127.0.0.1:PORT mlflow_runs.py DIR      (DIR: a folder to work in)

The answer, on the last line, is a JSON object: the ids of the runs, of the logged model and of the registered version, and the
measured auc.
"""

import json
import os
import sys

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import mlflow
import numpy as np
import pandas as pd
from mlflow.data.http_dataset_source import HTTPDatasetSource
from mlflow.entities import Metric
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve

PLANTED = "planted-sas-signature-0123456789"


def mortgages(seed, rows):
    """Made-up applications: income and debt, and whether they were repaid."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"income": random.normal(50, 15, rows), "debt": random.normal(20, 8, rows)})
    frame["repaid"] = (frame.income - frame.debt + random.normal(0, 10, rows) > 25).astype(int)
    return frame


def train_and_log(client, work):
    train, test = mortgages(1, 400), mortgages(2, 200)
    train_path = os.path.join(work, "train.csv")
    train.to_csv(train_path, index=False)
    model = LogisticRegression().fit(train[["income", "debt"]], train.repaid)
    scores = model.predict_proba(test[["income", "debt"]])[:, 1]
    auc = roc_auc_score(test.repaid, scores)
    run_id = mlflow.active_run().info.run_id

    mlflow.log_params({"C": 1.0, "solver": "lbfgs", "db_password": "planted-password"})
    mlflow.set_tags({"mlflow.source.git.commit": "0123456789abcdef0123456789abcdef01234567",
                     "mlflow.source.git.repoURL": "https://ada:planted-git-password@dev.azure.com/contoso/ml/_git/mortgage",
                     "run_id": "81462", "api_token": "planted-token"})
    train_data = mlflow.data.from_pandas(train, source=train_path, name="mortgages-train", targets="repaid")
    test_data = mlflow.data.from_pandas(test, source=HTTPDatasetSource("https://lake.example.com/test.csv?sv=1&sig=" + PLANTED), name="mortgages-test")
    numbers = mlflow.data.from_numpy(test[["income", "debt"]].to_numpy(), name="numbers")
    mlflow.log_input(train_data, context="training")
    mlflow.log_input(test_data, context="eval")
    mlflow.log_input(numbers)

    # Since MLflow 3 it is the logged model that knows what data a metric was measured on.
    logged = mlflow.sklearn.log_model(model, name="model", serialization_format="cloudpickle",
                                      signature=infer_signature(train[["income", "debt"]], scores), pip_requirements=["scikit-learn"])
    mlflow.log_metric("auc", auc, dataset=test_data, model_id=logged.model_id)
    # More than one page of a history, which the tests ask for in pages of 1000.
    client.log_batch(run_id, metrics=[Metric("loss", 1 / (step + 1), 1795311000000 + step, step) for step in range(1000)])
    client.log_batch(run_id, metrics=[Metric("loss", 1 / (step + 1), 1795311000000 + step, step) for step in range(1000, 1500)])
    mlflow.log_metric("broken", float("nan"))
    mlflow.log_metric("endless", float("inf"), step=1)
    mlflow.log_metric("endless", float("-inf"), step=2)
    mlflow.log_metric("tiny", 1e-300)
    mlflow.log_metric("large", 1e21)

    fpr, tpr, _ = roc_curve(test.repaid, scores)
    figure, axes = plt.subplots()
    axes.plot(fpr, tpr)
    axes.set_title(f"ROC, auc {auc:.3f}")
    mlflow.log_figure(figure, "plots/roc.png")
    mlflow.log_figure(figure, "plots/roc.svg")
    mlflow.log_dict({"fpr": fpr.tolist(), "tpr": tpr.tolist()}, "curves/roc.json")
    mlflow.log_text("fpr,tpr\n" + "".join(f"{x},{y}\n" for x, y in zip(fpr, tpr)), "curves/ roc 100%+ä.csv")
    mlflow.log_text("read from https://lake.example.com/test.csv?sig=" + PLANTED + "\n", "notes/log.txt")
    mlflow.log_text("no plot\n", "train.log")
    return auc, logged.model_id


def copied_as_files(client, answer):
    """A run with the files of a model among its own artifacts, as MLflow 2 logged them, and a version registered from there."""
    with mlflow.start_run(run_name="as before") as run:
        local = mlflow.artifacts.download_artifacts(f"models:/{answer['logged']}")
        mlflow.log_artifacts(local, "old/model")
    answer["before"] = run.info.run_id
    client.create_registered_model("mortgage-before")
    client.create_model_version("mortgage-before", f"runs:/{run.info.run_id}/old/model", run.info.run_id)


def main(work):
    client = mlflow.MlflowClient()
    mlflow.set_experiment("nightly mortgages")
    answer = {}
    with mlflow.start_run(run_name="nightly") as parent:
        answer["parent"] = parent.info.run_id
        with mlflow.start_run(run_name="good one", nested=True) as run:
            answer["good"] = run.info.run_id
            answer["auc"], answer["logged"] = train_and_log(client, work)
        try:
            with mlflow.start_run(run_name="bad one", nested=True) as run:
                answer["failed"] = run.info.run_id
                raise ArithmeticError("it did not converge")
        except ArithmeticError:
            pass
    experiment = client.get_experiment_by_name("nightly mortgages").experiment_id
    answer["running"] = client.create_run(experiment, run_name="goes on").info.run_id
    deleted = client.create_run(experiment, run_name="thrown away").info.run_id
    client.set_terminated(deleted)
    client.delete_run(deleted)
    answer["deleted"] = deleted

    version = mlflow.register_model(f"runs:/{answer['good']}/model", "mortgage")
    client.set_model_version_tag("mortgage", version.version, "run_id", "81462")
    client.set_model_version_tag("mortgage", version.version, "area", "lending")
    client.set_registered_model_alias("mortgage", "champion", version.version)
    answer["version"] = version.version
    copied_as_files(client, answer)
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
