"""An application behind a proxy: says which route answered."""

from fastapi import FastAPI

from headgate_api.gate import GateMiddleware


def create_app() -> FastAPI:
    app = create_bare()
    app.add_middleware(GateMiddleware, surface="api")
    return app


def create_bare() -> FastAPI:
    app = FastAPI()

    @app.get("/api/admin")
    @app.get("/api/admin/{rest:path}")
    async def admin(rest: str = "") -> dict[str, str]:
        return {"route": "admin", "rest": rest}

    @app.get("/api/items")
    async def items() -> dict[str, str]:
        return {"route": "items"}

    return app
