import { init } from "/docs/assets/redoc.js";

// Without the option ReDoc reports its use to its maker's host.
init("/openapi.json", { disableTelemetry: true }, document.getElementById("redoc"));
