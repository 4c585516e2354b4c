"""`circuits predict`: the network's predictions for a photo."""

from circuits.cli.console import output, plain_table, print_json, say
from circuits.cli.options import AS_JSON, LAYERS, NETWORK, PHOTO, WINDOW, NetworkOptions, get_photo, option
from circuits.errors import InputError
from circuits.report.sentences import larger_network, unsure_in_words
from circuits.report.text import chance, decimals, network_and_source, predictions_heading, remark


def predict(
    photo: str = PHOTO,
    top: int = option(5, "How many classes.", min=1),
    window: str | None = WINDOW,
    as_json: bool = AS_JSON,
    network: str = NETWORK,
    layers: str = LAYERS,
    *,
    options: NetworkOptions,
) -> None:
    """Predictions of a network for a photo: its best classes with their probabilities."""
    picture = get_photo(photo, window)
    loaded = options.load(network, layers)
    from circuits.network.predict import predict as predictions_of

    if not loaded.labels:
        raise InputError(
            f"{loaded.name} has no classes to predict; explain one of its units, such as "
            f"circuits trace {photo} --target {loaded.layers[-1]}:0."
        )
    predictions = predictions_of(loaded, picture, top=top)
    hint = unsure_in_words(loaded, predictions)
    if hint:
        hint += f" For a network of 1,000 classes: circuits predict {photo} {larger_network()}"
    if as_json:
        print_json(
            {
                "output": {
                    "name": loaded.output.name,
                    "index": loaded.output.place,
                    "names": list(loaded.output.names),
                },
                "one_at_a_time": loaded.is_one_at_a_time,
                "predictions": [
                    {"class": row.index, "label": row.label, "logit": row.logit, "probability": row.probability}
                    for row in predictions
                ],
                **({"hint": hint} if hint else {}),
            }
        )
        return
    table = plain_table(("class", "label", "probability", "logit"), numbers=(0, 2, 3))
    for row in predictions:
        table.add_row(str(row.index), row.label, chance(row.probability), decimals(row.logit))
    console = output()
    name = network_and_source(loaded.name, loaded.source, str(loaded.output))
    how = remark(multi_label=loaded.multi_label, one_at_a_time=loaded.is_one_at_a_time)
    say(console, f"{predictions_heading(name, picture.name)}{how}:")
    console.print(table)
    if hint:
        say(console, hint)
