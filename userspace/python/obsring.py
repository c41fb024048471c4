# SPDX-License-Identifier: MIT
"""Prometheus metrics that processes share, and that outlive them.

What a program counts here lives in memory of the obsring kernel module (or of a file,
see create_segment()), not in the process: all processes of a service count in the same
series, whatever is forked, and nothing is lost when one of them is killed. Nothing is
served from the process itself: obsringd does that.

    import obsring

    obsring.attach("shop")
    REQUESTS = obsring.Counter("shop_requests_total", "Requests served.", ["method"])
    LATENCY = obsring.Histogram("shop_request_seconds", "Time to serve one.")
    BUSY = obsring.Gauge("shop_busy_workers", "Workers that serve one.", mode="add")

    REQUESTS.labels("GET").inc()
    with LATENCY.time(), BUSY.track_inprogress():
        serve()

Classes and methods are those of prometheus_client where there is such a thing. A metric
may be made before its service is attached to; it counts from then on. fork() needs no
care: children go on in the same series, with a share of add-type gauges of their own,
which goes when they do.

Values are stored as integers, in a unit that fits the metric's: nanoseconds for seconds,
one for bytes and for what has no unit. `exp10` chooses another: the stored unit is ten to
that power. A float is rounded to it, but is refused where that is a whole one.
"""

import ctypes
import enum
import errno
import functools
import inspect
import math
import os
import threading
import time
import warnings

__all__ = [
    "attach", "create_segment", "Counter", "Enum", "Gauge", "Histogram", "Result", "Service",
    "StateSet",
]

DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# As obsringctl has them (scale.c). What is not here is stored in ones.
_EXP10 = {
    "seconds": -9, "ratio": -9, "celsius": -6, "kelvin": -6, "meters": -6, "grams": -6,
    "volts": -6, "amperes": -6, "joules": -6, "watts": -6, "hertz": -6, "bytes": 0,
}

# ---- The library ---------------------------------------------------------------------


class _FamilySpec(ctypes.Structure):
    """struct obs_family_spec"""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("help", ctypes.c_char_p),
        ("unit", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("set", ctypes.c_bool),
        ("exp10", ctypes.c_int),
        ("nr_labels", ctypes.c_uint),
        ("label", ctypes.POINTER(ctypes.c_char_p)),
        ("nr_bounds", ctypes.c_uint),
        ("bound", ctypes.POINTER(ctypes.c_uint64)),
        ("schema", ctypes.c_int),
        ("min_log2", ctypes.c_int),
        ("max_log2", ctypes.c_int),
        ("nr_states", ctypes.c_uint),
        ("state", ctypes.POINTER(ctypes.c_char_p)),
    ]


class _ServiceOptions(ctypes.Structure):
    """struct obs_service_options"""

    _fields_ = [
        ("device", ctypes.c_char_p),
        ("has_ttl", ctypes.c_bool),
        ("ttl_s", ctypes.c_uint32),
    ]


_LIBRARY = "libobsring.so.0"
# Attaching and making series may wait: without the interpreter's lock. Updates are some
# nanoseconds, and keep it.
_slow = ctypes.CDLL(_LIBRARY)
_fast = ctypes.PyDLL(_LIBRARY)


def _declare(library, name, result, *arguments):
    function = getattr(library, name)
    function.restype = result
    function.argtypes = arguments
    return function


_handle_p = ctypes.POINTER(ctypes.c_void_p)
_strings_p = ctypes.POINTER(ctypes.c_char_p)
_service_attach = _declare(
    _slow, "obs_service_attach_with", ctypes.c_int, ctypes.c_char_p,
    ctypes.POINTER(_ServiceOptions), _handle_p)
_service_detach = _declare(_slow, "obs_service_detach", None, ctypes.c_void_p)
_service_uid = _declare(_slow, "obs_service_uid", ctypes.c_uint32, ctypes.c_void_p)
_segment_create = _declare(
    _slow, "obs_segment_create", ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_series_new = {
    name: _declare(
        _slow, f"obs_{name}_new", ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_FamilySpec),
        _strings_p, _handle_p)
    for name in ("counter", "gauge", "gauge_set", "histogram", "state")
}
_counter_add = _declare(_fast, "obs_counter_add", None, ctypes.c_void_p, ctypes.c_uint64)
_gauge_add = _declare(
    _fast, "obs_gauge_add", ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
_gauge_set = _declare(
    _fast, "obs_gauge_set", ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
_histogram_observe = _declare(
    _fast, "obs_histogram_observe", None, ctypes.c_void_p, ctypes.c_uint64)
_state_update = _declare(
    _fast, "obs_state_update", ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64,
    ctypes.c_uint)
_state_get = _declare(
    _fast, "obs_state_get", ctypes.c_uint64, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint))


_REASONS = {
    errno.ENOENT: "the obsring module is not loaded",
    errno.ENODEV: "the obsring module is not loaded",
    errno.ENXIO: "the obsring module is not loaded",
    errno.EACCES: "permission denied: those who count belong to the device's group",
    errno.EEXIST: "a metric of that name is another one",
    errno.EINVAL: "a name is malformed or reserved, or the metric is another one",
    errno.ENOSPC: "a limit is reached",
    errno.ESTALE: "the service was removed meanwhile",
}


def _error(result, what):
    """The OSError of -errno, of the subclass that fits: FileExistsError, ..."""
    return OSError(-result, f"{what}: {_REASONS.get(-result, os.strerror(-result))}")


def _bytes(text):
    data = str(text).encode()
    if b"\0" in data:
        raise ValueError(f"{text!r} contains a NUL")
    return data


def _strings(texts):
    """An array of C strings, which holds them; NULL if there are none."""
    return (ctypes.c_char_p * len(texts))(*map(_bytes, texts)) if texts else None


# Attaching, and making series and handles. A child that is forked while another thread
# has it would wait for ever.
_lock = threading.RLock()
os.register_at_fork(
    before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)

# ---- Services ------------------------------------------------------------------------


class Service:
    """A service that this process, and those it forks, are members of.

    It belongs to the effective user. `ttl`: seconds that its series stay after its last
    member, 0 for ever; None leaves that as it is (by default seven days). `device`: the
    path of another device or of a segment. If it can't be attached to, OSError is raised,
    or with `optional` a warning is given, and all that counts in it does nothing.
    """

    def __init__(self, name, ttl=None, device=None, optional=False):
        self.name = name
        self.error = None
        self._handle = None
        self._series = []
        options = _ServiceOptions(
            os.fsencode(device) if device is not None else None, ttl is not None, ttl or 0)
        handle = ctypes.c_void_p()
        result = _service_attach(_bytes(name), ctypes.byref(options), ctypes.byref(handle))
        if result == 0:
            self._handle = handle.value
            return
        self.error = _error(result, f"cannot attach to service {name!r}")
        if not optional:
            raise self.error
        warnings.warn(f"{self.error}: nothing is counted", RuntimeWarning, stacklevel=2)

    @property
    def uid(self):
        """The user that it belongs to, in the initial user namespace."""
        return _service_uid(self._handle) if self._handle else None

    def _make(self, series, maker, spec, values):
        """Give `series` its handle; None: it counts nothing."""
        with _lock:
            self._series.append(series)
            if not self._handle:
                return
            handle = ctypes.c_void_p()
            result = maker(self._handle, ctypes.byref(spec), _strings(values),
                           ctypes.byref(handle))
            if result >= 0:
                series._handle = handle.value
        if result < 0:
            raise _error(result, f"cannot make a series of {spec.name.decode()}")
        if result > 0:
            warnings.warn(
                f"a limit is reached: {spec.name.decode()} of {values} is counted in its "
                "overflow series", RuntimeWarning, stacklevel=5)

    def detach(self):
        """Leave it: its metrics count nothing from now on. None may be in use."""
        with _lock:
            for series in self._series:
                series._handle = None
            self._series.clear()
            handle, self._handle = self._handle, None
        if handle:
            _service_detach(handle)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.detach()


_default = None
_waiting = []


def attach(name, **options):
    """Service(name, **options), for all metrics that name no other one."""
    global _default
    with _lock:
        _default = Service(name, **options)
        while _waiting:
            _waiting.pop(0)._begin(_default)
        return _default


def create_segment(path):
    """Make a file that takes the place of the device: Service(name, device=path)."""
    result = _segment_create(os.fsencode(path), None)
    if result < 0:
        raise OSError(-result, os.strerror(-result), path)


# ---- Decorators ----------------------------------------------------------------------


class _Around:
    """A context manager, and a decorator of functions, async ones included.

    `begin()` is called before, and its result given to `end(begun, exception_type)`.
    """

    def __init__(self, begin, end):
        self._begin = begin
        self._end = end
        self._begun = None

    def __enter__(self):
        self._begun = self._begin()
        return self

    def __exit__(self, exception_type, exception, traceback):
        self._end(self._begun, exception_type)

    def __call__(self, function):
        # Each call is a context of its own: calls nest, and threads call at once.
        if inspect.iscoroutinefunction(function):
            @functools.wraps(function)
            async def called(*args, **kwargs):
                with _Around(self._begin, self._end):
                    return await function(*args, **kwargs)
        else:
            @functools.wraps(function)
            def called(*args, **kwargs):
                with _Around(self._begin, self._end):
                    return function(*args, **kwargs)
        return called


# ---- Metrics -------------------------------------------------------------------------


class _Series:
    """A metric's series of one set of label values, or the metric if it has no labels."""

    _handle = None

    def _ready(self):
        """The handle; None counts nothing."""
        return self._handle


class _Metric(_Series):
    """A family. Subclasses say what kind it is, and what can be done to its series."""

    _kind = None
    _child = None           # class of a series
    _suffix = ""

    def __init__(self, name, documentation, labelnames=(), *, unit="", exp10=None,
                 service=None, **spec):
        if isinstance(labelnames, str):
            raise TypeError("labelnames is a list of names")
        self._labelnames = tuple(labelnames)
        self._name = self._full_name(name, unit)
        self._unit = unit or self._unit_of_name()
        self._exp10 = _EXP10.get(self._unit, 0) if exp10 is None else exp10
        self._per_one = 10**-self._exp10
        self._children = {}
        self._service = None
        self._spec = _FamilySpec(
            name=_bytes(self._name), help=_bytes(documentation), unit=_bytes(self._unit),
            exp10=self._exp10, nr_labels=len(self._labelnames),
            label=_strings(self._labelnames), **self._spec_of(**spec))
        with _lock:
            if service or _default:
                self._begin(service or _default)
            else:
                _waiting.append(self)

    def __repr__(self):
        return f"obsring.{type(self).__name__}({self._name!r})"

    def _full_name(self, name, unit):
        base = name[:-len(self._suffix)] if self._suffix and name.endswith(self._suffix) \
            else name
        if unit and not base.endswith("_" + unit):
            base += "_" + unit
        return base + self._suffix

    def _unit_of_name(self):
        base = self._name[:len(self._name) - len(self._suffix)]
        unit = base.rpartition("_")[2]
        return unit if unit in _EXP10 and unit != base else ""

    def _spec_of(self):
        return {}

    def _maker(self):
        return _series_new[self._kind]

    def _begin(self, service):
        """From now on it counts in `service`; one without labels is there, with 0."""
        self._service = service
        if not self._labelnames:
            service._make(self, self._maker(), self._spec, ())
        for values, child in self._children.items():
            service._make(child, self._maker(), self._spec, values)

    def _values(self, values, named):
        if values and named:
            raise ValueError("label values are given in order or by name, not both")
        if named:
            if sorted(named) != sorted(self._labelnames):
                raise ValueError(f"{self._name} has the labels {self._labelnames}")
            values = [named[name] for name in self._labelnames]
        if len(values) != len(self._labelnames):
            raise ValueError(f"{self._name} has the labels {self._labelnames}")
        return tuple(map(str, values))

    def labels(self, *values, **named):
        """The series with these label values, in order or by name."""
        child = None if named else self._children.get(values)
        if child is not None:
            return child
        if not self._labelnames:
            raise ValueError(f"{self._name} has no labels")
        key = self._values(values, named)
        child = self._children.get(key)
        if child is None:
            child = self._child_new(key)
        return child

    def _child_new(self, key):
        with _lock:
            child = self._children.get(key)
            if child is None:
                child = self._child(self)
                if self._service:
                    self._service._make(child, self._maker(), self._spec, key)
                self._children[key] = child
            return child

    def _stored_ns(self, ns):
        """Nanoseconds in the stored unit, the metric being in seconds."""
        if self._exp10 <= -9:
            return ns * 10**(-9 - self._exp10)
        unit = 10**(9 + self._exp10)
        return (ns + unit // 2) // unit

    def _stored(self, amount):
        """`amount` in the stored unit."""
        if type(amount) is int:
            stored = amount * self._per_one
        else:
            stored = self._rounded(amount)
        if not -2**63 <= stored < 2**63:
            raise ValueError(f"{amount} is more than {self._name} holds")
        return stored

    def _rounded(self, amount):
        if not math.isfinite(amount):
            raise ValueError(f"{amount} can't be counted")
        if amount == int(amount):
            return int(amount) * self._per_one
        if self._per_one == 1:
            raise ValueError(f"{self._name} is counted in whole ones: {amount}")
        return round(amount * self._per_one)

    def _ready(self):
        if self._labelnames:
            raise ValueError(f"{self._name} has labels: use labels()")
        return self._handle


class _Child(_Series):
    """A series of a metric that has labels."""

    def __init__(self, metric):
        self._metric = metric
        self._stored = metric._stored
        self._stored_ns = metric._stored_ns


class _CounterSeries(_Series):
    def inc(self, amount=1):
        """Count `amount` more."""
        if amount < 0:
            raise ValueError("counters only go up")
        _counter_add(self._ready(), self._stored(amount))

    def count_exceptions(self, exception=Exception):
        """Count those that leave the block or function."""
        def end(_, raised):
            if raised is not None and issubclass(raised, exception):
                self.inc()
        return _Around(lambda: None, end)


class _CounterChild(_CounterSeries, _Child):
    pass


class Counter(_CounterSeries, _Metric):
    """What only goes up. Its name ends in _total, which is added if need be."""

    _kind = "counter"
    _child = _CounterChild
    _suffix = "_total"


class _GaugeSeries(_Series):
    def _check(self, result):
        if result < 0:
            raise ValueError('inc() and dec() are for gauges of mode="add", set() is for '
                             'those of mode="set"')

    def inc(self, amount=1):
        """Add to this process' share."""
        self._check(self._add(self._stored(amount)))

    def dec(self, amount=1):
        """Take off this process' share, which may go below 0."""
        self._check(self._add(-self._stored(amount)))

    def _add(self, stored):
        handle = self._ready()
        if not self._is_add():
            return -1
        return _gauge_add(handle, stored) if handle else 0

    def set(self, value):
        """The value, of all processes, until another one is set."""
        self._set(self._stored(value))

    def _set(self, stored):
        handle = self._ready()
        if self._is_add():
            self._check(-1)
        if handle:
            self._check(_gauge_set(handle, stored))

    def set_to_current_time(self):
        """Set it to the seconds since 1970."""
        self._set(self._stored_ns(time.time_ns()))

    def track_inprogress(self):
        """Add one for as long as the block or function takes."""
        return _Around(self.inc, lambda *_: self.dec())

    def time(self):
        """Set it to the seconds that the block or function took."""
        return _Around(
            time.perf_counter_ns,
            lambda begun, _: self._set(self._stored_ns(time.perf_counter_ns() - begun)))


class _GaugeChild(_GaugeSeries, _Child):
    def _is_add(self):
        return self._metric._is_add()


class Gauge(_GaugeSeries, _Metric):
    """What goes up and down, in one of two modes.

    "set": the last value that any process has set, which stays when it ends.
    "add": the sum of what the living processes have added.
    """

    _child = _GaugeChild

    def __init__(self, name, documentation, labelnames=(), *, mode="set", **options):
        if mode not in ("set", "add"):
            raise ValueError(f'mode is "set" or "add", not {mode!r}')
        self._mode = mode
        super().__init__(name, documentation, labelnames, **options)

    def _maker(self):
        return _series_new["gauge" if self._mode == "add" else "gauge_set"]

    def _is_add(self):
        return self._mode == "add"


class _HistogramSeries(_Series):
    def observe(self, amount):
        """Count one that is so long, so large, ..."""
        if amount < 0:
            raise ValueError("observations are not negative")
        self._observe(self._stored(amount))

    def time(self):
        """Observe the seconds that the block or function took."""
        return _Around(time.perf_counter_ns, lambda begun, _: self._observe(
            self._stored_ns(time.perf_counter_ns() - begun)))

    def _observe(self, stored):
        _histogram_observe(self._ready(), stored)


class _HistogramChild(_HistogramSeries, _Child):
    pass


class Histogram(_HistogramSeries, _Metric):
    """How many observations are how large.

    `buckets`: upper bounds, without +Inf. With `schema` (0 to 3) in place of them it is
    one of Prometheus' native histograms, from 2**min_log2 to 2**max_log2. With neither:
    what suits requests in seconds, or for what is counted in ones, powers of two.
    """

    _kind = "histogram"
    _child = _HistogramChild

    def _spec_of(self, buckets=None, schema=None, min_log2=-10, max_log2=10):
        if buckets is None and schema is None:
            if self._exp10 == 0:
                schema, min_log2, max_log2 = 0, 0, 40
            else:
                buckets = DEFAULT_BUCKETS
        if schema is not None:
            return {"schema": schema, "min_log2": min_log2, "max_log2": max_log2}
        bounds = [self._stored(bound) for bound in buckets if bound != math.inf]
        if not bounds or bounds != sorted(set(bounds)) or bounds[0] < 0:
            raise ValueError("buckets ascend, from 0 on")
        return {"nr_bounds": len(bounds),
                "bound": (ctypes.c_uint64 * len(bounds))(*bounds)}


class Result(enum.IntEnum):
    """What StateSet.update() did: enum obs_state_result."""

    INSERTED = 0            # the first one
    UPDATED = 1             # after one of a smaller version
    STALE = 2               # a greater version, or the same update, is there
    CONFLICT = 3            # the same version with another state is there


class _StateSeries(_Series):
    def update(self, version, state):
        """Set the state that `version` has, if no greater one was there yet."""
        handle = self._ready()
        if not 1 <= version < 2**56:
            raise ValueError(f"version {version} is not from 1 to 2**56 - 1")
        number = self._states().index(state)
        return Result(_state_update(handle, version, number)) if handle else None

    def get(self):
        """Version and state; 0 and None before the first update."""
        number = ctypes.c_uint()
        handle = self._ready()
        version = _state_get(handle, ctypes.byref(number)) if handle else 0
        if not version:
            return 0, None
        states = self._states()
        return version, states[number.value] if number.value < len(states) else number.value

    def state(self, state):
        """Set it, whatever it is now."""
        while self._ready():
            if self.update(self.get()[0] + 1, state) in (Result.INSERTED, Result.UPDATED):
                break


class _StateChild(_StateSeries, _Child):
    def _states(self):
        return self._metric._states()


class StateSet(_StateSeries, _Metric):
    """Which of some states each object is in.

    Updates carry a version, and the greatest stays, in whatever order they arrive and
    whoever makes them: no lock is needed, and none is lost.
    """

    _kind = "state"
    _child = _StateChild

    def _spec_of(self, states=()):
        self._names = tuple(states)
        if not self._names:
            raise ValueError("states is missing")
        return {"nr_states": len(self._names), "state": _strings(self._names)}

    def _states(self):
        return self._names


class Enum(StateSet):
    """StateSet, where who sets it last is right: state()."""
