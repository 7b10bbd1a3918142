import { init } from "/docs/assets/redoc.js";

// Without this option ReDoc reports its use to the host of its maker.
init("/openapi.json", { disableTelemetry: true }, document.getElementById("redoc"));
