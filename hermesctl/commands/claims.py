"""`hermesctl claims`: which gateway has which bot, login and port.

Owns: the verbs and their results. Must not decide who gets anything: the daemon does.
"""

import difflib
from collections.abc import Sequence

import click

from hermesctl import claim_view as view
from hermesctl.errors import Fix, HermesError, usage
from hermesctl.options import Group, optional_name_argument
from hermesctl.session import Session
from hermesctl.shapes import plain
from hermesd.v1 import claims_pb2 as v1
from hermesd.v1.gateways_pb2 import ListGatewaysRequest

claims = Group("claims", help="Which gateway has which bot, login and port; what no two can use at once.")


@claims.command("list")
@click.pass_obj
def list_(session: Session) -> None:
    """List bots, logins and ports, who has them and who waits.

    Only one gateway at a time can use each. -p limits the list to one profile.
    """
    about = session.profile.name
    found = _ask(session, about)
    empty = f"{about} claims nothing" if about else "no profile claims anything"
    if not session.form.is_text:
        rows = [plain(one) | {"is_contested": view.is_contested(one)} for one in found]
        names = {id(row): view.name(one) for row, one in zip(rows, found, strict=True)}
        session.renderer.listing("Claim", rows, [], name=lambda row: names[id(row)], empty=empty)
        return
    session.renderer.listing("Claim", found, view.columns(session.terminal), name=view.name, empty=empty)


@claims.command()
@optional_name_argument
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show who has one, who waits for it, and the ways out.

    NAME is the beginning of a fingerprint as it is shown, a port, a platform, or a profile, of which all is shown.
    """
    about = name or session.profile.name
    if not about:
        fix = Fix("hermesctl claims list")
        raise usage("'claims show' needs a fingerprint, a port, a platform or a profile", fixes=[fix])
    found = _ask(session, about)
    if not found:
        _refuse_unknown(session, about)
        session.say(f"{about} claims nothing")
    if session.form.is_text and found:
        session.terminal.write(view.pages(found, session.terminal, session.places.root))
    elif not session.form.is_text:
        rows = [_told(session, one) for one in found]
        names = {id(row): view.name(one) for row, one in zip(rows, found, strict=True)}
        session.renderer.listing("Claim", rows, [], name=lambda row: names[id(row)], empty="")


def _ask(session: Session, about: str) -> Sequence[v1.Claim]:
    about = about.replace("...", "…")  # which is how a terminal without the character shows it
    return session.client.claims.ListClaims(v1.ListClaimsRequest(about=about)).claims


def _told(session: Session, claim: v1.Claim) -> dict[str, object]:
    fixes = [{"text": fix.text, "command": fix.command} for fix in view.ways_out(claim, session.places.root)]
    return plain(claim) | {"is_contested": view.is_contested(claim), "fixes": fixes}


def _refuse_unknown(session: Session, about: str) -> None:
    """Refuses what names nothing that could be claimed, or that could claim.

    Raises:
        HermesError: NOT_FOUND, with what is spelt alike.
    """
    profiles = [one.profile for one in session.client.gateways.ListGateways(ListGatewaysRequest()).gateways]
    if about.strip().lower() in profiles:
        return
    known = {*profiles}
    for claim in _ask(session, ""):
        known |= {claim.platform, view.name(claim)}
    near = difflib.get_close_matches(about.strip().lower(), sorted(known), n=3, cutoff=0.6)
    raise HermesError(
        "NOT_FOUND",
        f"nothing that is claimed is meant by '{about}'",
        why=f"did you mean {' or '.join(map(repr, near))}?" if near else "",
        fixes=[Fix("hermesctl claims list")],
    )
