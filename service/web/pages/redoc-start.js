import { init } from "./redoc.js";

// Without this option ReDoc reports its use to the host of its maker.
init(new URL("../../openapi.json", import.meta.url).href, { disableTelemetry: true }, document.getElementById("redoc"));
