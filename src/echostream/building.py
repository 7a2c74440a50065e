"""Builds the pipeline that the settings ask for."""

from echostream import traces
from echostream.cache import MemoryCache, load_cache
from echostream.engine import Engine, LocalEngine, check_installed, check_models, load_registry
from echostream.engine.host_cache import HostCache
from echostream.insights import load_choice, load_questions
from echostream.llm import load_language_model, load_other_models
from echostream.pipeline import Pipeline
from echostream.settings import Settings


def build_pipeline(settings: Settings, engine: Engine, *, patient: bool = False) -> Pipeline:
    """Builds the pipeline for the settings. Raises EchoStreamError if they contradict each other or
    need something that is not installed."""
    check_installed(settings)
    traces.check_installed(settings.otel_exporter_otlp_endpoint)
    check_models(settings)
    cache = load_cache(settings)
    if engine.socket is not None and isinstance(cache, MemoryCache):
        cache = HostCache(engine.socket)
    folder = engine.socket.parent if engine.socket else None
    model = load_language_model(settings, folder)
    return Pipeline(
        settings,
        engine,
        load_choice(settings, model, load_other_models(settings, folder)),
        cache,
        questions=load_questions(settings, model),
        patient=patient,
    )


def local_pipeline(settings: Settings) -> Pipeline:
    """Builds a pipeline with the engine in this process. Quick: models load at first use."""
    return build_pipeline(settings, LocalEngine(settings, load_registry(settings)))
